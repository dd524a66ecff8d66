"""Lets the published Python client of Mosaia judge the emulator.

    python accept.py http://127.0.0.1:PORT      (an emulator with its control endpoint, nothing done to it yet)

Prints one line for each step, and one for each that has to be left out because the client itself is broken, with
the reason; stops with a non-zero status at the first that fails. A broken place is looked at all the same: were it
repaired in the version that is installed, this script would say so.
"""

import asyncio
import json
import socket
import sys
import traceback
import urllib.error
import urllib.parse
import urllib.request

EMAIL = "grower@example.com"
PASSWORD = "correct horse battery"
CLIENT_ID = "emulated-client"
CLIENT_SECRET = "emulated client secret"
REDIRECT = "http://127.0.0.1:9/done"


def only_loopback():
    """The client falls back to its production host: whatever leads off this machine fails, and is remembered."""
    strayed = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def is_here(host):
        return host in (None, "localhost", "::1") or str(host).startswith("127.")

    def checked_look_up(host, *rest, **more):
        if not is_here(host):
            strayed.append(host)
            raise OSError("only this machine may be asked")
        return look_up(host, *rest, **more)

    def checked_connect(self, address):
        if self.family != socket.AF_UNIX and not is_here(address[0]):
            strayed.append(address[0])
            raise OSError("only this machine may be asked")
        return connect(self, address)

    socket.getaddrinfo, socket.socket.connect = checked_look_up, checked_connect
    return strayed


STRAYED = only_loopback()

# After the guard, so that nothing escapes it.
from mosaia.auth import MosaiaAuth, OAuth  # noqa: E402
from mosaia.client import MosaiaClient  # noqa: E402
from mosaia.config import ConfigurationManager  # noqa: E402
from mosaia.types import MosaiaConfig, SessionInterface  # noqa: E402
from mosaia.utils.helpers import is_timestamp_expired  # noqa: E402


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A browser would go on; here the address is what is wanted."""

    def redirect_request(self, *_):
        return None


class Emulator:
    """The knobs, over the standard library: the client under test is not involved."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.mosaia = self.url + "/mosaia"
        # Loopback goes through no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects)

    def do(self, name, **body):
        self._exchange(name, json.dumps(body).encode())

    def tell(self, name):
        return self._exchange(name, None)

    def requests(self):
        return [
            f"{r['method']} {r['path'].split('?')[0].removeprefix('/mosaia')} {r['status']}" for r in self.tell("requests")
        ]

    def consent(self, url):
        """Opens an address as a browser does, and tells where it is sent back to."""
        try:
            self._opener.open(url, timeout=10)
        except urllib.error.HTTPError as answer:
            return answer.headers.get("Location")
        raise AssertionError("no redirect")

    def _exchange(self, name, body):
        request = urllib.request.Request(f"{self.url}/_control/{name}", data=body)
        with self._opener.open(request, timeout=10) as response:
            return json.load(response)


def config(emulator, **more):
    return MosaiaConfig(api_url=emulator.mosaia, version="1", client_id=CLIENT_ID, **more)


async def fails(awaitable):
    """What it fails with; a success is a failure of the step."""
    try:
        await awaitable
    except Exception as error:  # the client raises nothing finer
        return error
    raise AssertionError("it went well")


def with_session(emulator, signed_in):
    """The client keeps a session as a dict and reads it as an object: what its users have to do about it."""
    session = SessionInterface(**signed_in.session)
    return config(emulator, api_key=signed_in.api_key, session=session)


async def signs_in_by_password(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD)
    session = signed_in.session
    assert session["auth_type"] == "password" and signed_in.api_key == session["access_token"]
    assert len(session["access_token"]) > 500 and session["refresh_token"] and session["sub"] == "user-1"
    return ["POST /v1/auth/signin 200"]


async def signs_in_by_client_credentials(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_client(CLIENT_ID, CLIENT_SECRET)
    assert signed_in.session["auth_type"] == "client" and signed_in.session["exp"]
    return ["POST /v1/auth/signin 200"]


async def reads_every_form_of_exp(emulator):
    for unit, size in (("seconds", 10), ("millis", 13)):
        for kind, python in (("text", str), ("number", int)):
            emulator.do("mosaia_settings", exp_unit=unit, exp_type=kind)
            signed_in = await MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD)
            exp = signed_in.session["exp"]
            assert isinstance(exp, python) and len(str(exp)) == size, exp
    emulator.do("mosaia_settings", exp_unit="seconds", exp_type="text")
    return ["POST /v1/auth/signin 200"] * 4


async def calls_the_api(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD)
    # Without the session: with it the client takes seconds for milliseconds.
    mosaia = MosaiaClient(config(emulator, api_key=signed_in.api_key))
    session = await mosaia.session()
    assert session.user.data["email"] == EMAIL, session.user.data
    return ["POST /v1/auth/signin 200", "GET /v1/self 200"]


async def is_refused_with_a_dead_token(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD)
    emulator.do("mosaia_revoke_access", owner=EMAIL)
    error = await fails(MosaiaClient(config(emulator, api_key=signed_in.api_key)).session())
    assert "Unauthorized" in str(error), error
    return ["POST /v1/auth/signin 200", "GET /v1/self 401"]


async def refreshes_a_given_token(emulator):
    auth = MosaiaAuth(config(emulator))
    signed_in = await auth.sign_in_with_password(EMAIL, PASSWORD)
    first = signed_in.session["refresh_token"]
    refreshed = await auth.refresh_token(first)
    assert refreshed.session["access_token"] != signed_in.session["access_token"]
    assert refreshed.session["refresh_token"] != first, "the token was to be rotated"
    return ["POST /v1/auth/signin 200"] * 2


async def loses_the_session_by_using_a_refresh_token_twice(emulator):
    auth = MosaiaAuth(config(emulator))
    first = (await auth.sign_in_with_password(EMAIL, PASSWORD)).session["refresh_token"]
    second = (await auth.refresh_token(first)).session["refresh_token"]
    await fails(auth.refresh_token(first))
    await fails(auth.refresh_token(second))
    return ["POST /v1/auth/signin 200"] * 2 + ["POST /v1/auth/signin 401"] * 2


async def refreshes_by_how_the_session_was_begun(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_client(CLIENT_ID, CLIENT_SECRET)
    refreshed = await MosaiaAuth(with_session(emulator, signed_in)).refresh()
    assert refreshed.session["refresh_token"] != signed_in.session["refresh_token"]
    return ["POST /v1/auth/signin 200"] * 2


async def signs_out(emulator):
    signed_in = await MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD)
    await MosaiaAuth(config(emulator, api_key=signed_in.api_key)).sign_out()
    await fails(MosaiaClient(config(emulator, api_key=signed_in.api_key)).session())
    return ["POST /v1/auth/signin 200", "DELETE /v1/auth/signout 200", "GET /v1/self 401"]


def oauth(emulator, **more):
    return OAuth(
        {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT,
            "scopes": ["read", "write"],
            "app_url": emulator.mosaia,
            "api_url": emulator.mosaia,
            "api_version": "1",
            **more,
        }
    )


async def exchanged(emulator):
    """What the service answers to the client's exchange of a code, seen on its way: the client loses it."""
    import aiohttp

    client = oauth(emulator, state="a state")
    begun = client.get_authorization_url_and_code_verifier()
    assert len(begun["code_verifier"]) == 128
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(begun["url"]).query)
    assert asked["scope"] == ["read,write"] and asked["code_challenge_method"] == ["S256"], asked
    answer = urllib.parse.parse_qs(urllib.parse.urlsplit(emulator.consent(begun["url"])).query)
    assert answer["state"] == ["a state"], answer
    seen, read = [], aiohttp.ClientResponse.json

    async def watched(self, *rest, **more):
        seen.append(await read(self, *rest, **more))
        return seen[-1]

    aiohttp.ClientResponse.json = watched
    try:
        error = await fails(client.authenticate_with_code_and_verifier(answer["code"][0], begun["code_verifier"]))
    finally:
        aiohttp.ClientResponse.json = read
    assert isinstance(error, TypeError), f"this step is to be revised: {error!r}"
    assert set(seen[0]) >= {"access_token", "refresh_token", "sub", "iat", "exp"}, seen
    return seen[0]


async def takes_a_browser_there_and_back(emulator):
    tokens = await exchanged(emulator)
    session = await MosaiaClient(config(emulator, api_key=tokens["access_token"])).session()
    assert session.user.data["email"] == EMAIL
    return ["GET /oauth 302", "POST /v1/auth/token 200", "GET /v1/self 200"]


async def is_refused_with_a_wrong_verifier(emulator):
    client = oauth(emulator)
    begun = client.get_authorization_url_and_code_verifier()
    answer = urllib.parse.parse_qs(urllib.parse.urlsplit(emulator.consent(begun["url"])).query)
    error = await fails(client.authenticate_with_code_and_verifier(answer["code"][0], "x" * 128))
    assert error.args[0]["error"] == "invalid_grant", error
    return ["GET /oauth 302", "POST /v1/auth/token 400"]


async def refreshes_what_oauth_began(emulator):
    tokens = await exchanged(emulator)
    session = SessionInterface(refresh_token=tokens["refresh_token"], auth_type="oauth")
    refreshed = await MosaiaAuth(config(emulator, session=session)).refresh()
    assert refreshed.session["auth_type"] == "oauth"
    assert refreshed.session["refresh_token"] != tokens["refresh_token"]
    # The other endpoint is not where such a token belongs.
    await fails(MosaiaAuth(config(emulator)).refresh_token(refreshed.session["refresh_token"]))
    return ["GET /oauth 302", "POST /v1/auth/token 200", "POST /auth/token 200", "POST /v1/auth/signin 401"]


async def is_refused_in_both_shapes(emulator):
    emulator.do("mosaia_settings", refusals="envelope")
    in_envelope = await fails(MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, "wrong"))
    emulator.do("mosaia_settings", refusals="status")
    by_status = await fails(MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, "wrong"))
    await fails(MosaiaAuth(config(emulator)).sign_in_with_password("nobody@example.com", PASSWORD))
    emulator.do("mosaia_lock", owner=EMAIL)
    await fails(MosaiaAuth(config(emulator)).sign_in_with_password(EMAIL, PASSWORD))
    emulator.do("mosaia_unlock", owner=EMAIL)
    # Left out below: which of them it was. The client says the same of all.
    assert str(in_envelope) == str(by_status) == "Unknown error occurred", f"to be revised: {in_envelope}, {by_status}"
    statuses = (200, 401, 404, 403)
    return [f"POST /v1/auth/signin {status}" for status in statuses]


async def is_broken_where_it_is_said_to_be(emulator):
    """The steps below are left out; here is why they must be."""
    auth = MosaiaAuth(config(emulator))
    signed_in = await auth.sign_in_with_password(EMAIL, PASSWORD)
    error = await fails(MosaiaAuth(signed_in).refresh())
    assert isinstance(error, AttributeError), f"to be revised: {error!r}"
    assert is_timestamp_expired(signed_in.session["exp"]), "to be revised: seconds are no longer read as milliseconds"
    # An expired session: the client makes itself another configuration, with its own default address, and asks
    # that. Nothing may be sent, and nothing arrives here.
    ConfigurationManager.get_instance().reset()
    stray = MosaiaAuth()
    assert stray.api_client.base_url.startswith("https://"), stray.api_client.base_url
    before = len(STRAYED)
    await fails(stray.refresh_token("no real token"))
    assert len(STRAYED) > before, "to be revised: the client no longer falls back to its own host"
    return ["POST /v1/auth/signin 200"]


STEPS = [
    signs_in_by_password,
    signs_in_by_client_credentials,
    reads_every_form_of_exp,
    calls_the_api,
    is_refused_with_a_dead_token,
    refreshes_a_given_token,
    loses_the_session_by_using_a_refresh_token_twice,
    refreshes_by_how_the_session_was_begun,
    signs_out,
    takes_a_browser_there_and_back,
    is_refused_with_a_wrong_verifier,
    refreshes_what_oauth_began,
    is_refused_in_both_shapes,
    is_broken_where_it_is_said_to_be,
]

LEFT_OUT = {
    "tells refusals apart": "every error of a sign-in becomes 'Unknown error occurred'",
    "keeps what a code was exchanged for": "building its configuration raises, after the service has used the code",
    "refreshes right after a sign-in": "the session is kept as a dict and read as an object",
    "renews an expired session by itself": "it asks its production host, and takes seconds for milliseconds",
}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: accept.py http://127.0.0.1:PORT")
    emulator = Emulator(sys.argv[1])
    for step in STEPS:
        name = step.__name__.replace("_", " ")
        before = len(emulator.requests())
        ConfigurationManager.get_instance().reset()
        try:
            wanted = asyncio.run(step(emulator))
            asked = emulator.requests()[before:]
            assert asked == wanted, f"asked {asked}, wanted {wanted}"
        except Exception:
            traceback.print_exc()
            print(f"FAILED  {name}", flush=True)
            sys.exit(1)
        print(f"ok  {name}", flush=True)
    for name, why in LEFT_OUT.items():
        print(f"left out  {name}: {why}", flush=True)


if __name__ == "__main__":
    main()
