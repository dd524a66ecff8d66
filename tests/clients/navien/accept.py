"""Lets the published Python client of Navien Smart Control (nwp500-python) judge the emulator.

    python accept.py http://127.0.0.1:PORT      (an emulator with its control endpoint, nothing done to it yet)

Prints one line for each step; stops with a non-zero status at the first that fails.
"""

import asyncio
import json
import sys
import traceback

from nwp500.api_client import NavienAPIClient
from nwp500.auth import AuthTokens, NavienAuthClient
from nwp500.exceptions import APIError, InvalidCredentialsError, TokenRefreshError

from emulator import EMAIL, PASSWORD, Emulator

# The client takes a token that has less than 300 s to live for a dead one.
NEAR_ITS_END = 60


def client(emulator, password=PASSWORD, stored=None):
    """A client as its users make it, only with another base URL."""
    return NavienAuthClient(EMAIL, password, base_url=emulator.navien, stored_tokens=stored)


async def list_devices(auth, emulator):
    """An API call as the client's users make it."""
    devices = await NavienAPIClient(auth, base_url=emulator.navien).list_devices()
    assert devices[0].device_info.device_name == "NWP500", devices


async def signs_in(emulator):
    async with client(emulator) as auth:
        tokens, user = auth.current_tokens, auth.current_user
        assert user.full_name == "Perennial Grower" and user.user_seq > 0, user
        for token in (tokens.id_token, tokens.access_token, tokens.refresh_token):
            assert len(token) > 500, token
        assert tokens.access_key_id and tokens.secret_key and len(tokens.session_token) > 1000
        assert tokens.authentication_expires_in == 3600 and tokens.authorization_expires_in == 3600
        assert not tokens.is_expired and not tokens.are_aws_credentials_expired
    return ["/user/sign-in 200"]


async def calls_the_api(emulator):
    async with client(emulator) as auth:
        await list_devices(auth, emulator)
    return ["/user/sign-in 200", "/device/list 200"]


async def refreshes_and_repeats_after_a_401(emulator):
    async with client(emulator) as auth:
        before = auth.current_tokens
        emulator.do("revoke_access", email=EMAIL)
        await list_devices(auth, emulator)
        after = auth.current_tokens
        assert after.access_token != before.access_token and after.refresh_token != before.refresh_token
        assert after.session_token == before.session_token, "the AWS credentials were to be kept"
    return ["/user/sign-in 200", "/device/list 401", "/auth/refresh 200", "/device/list 200"]


async def notices_real_expiry_by_a_401(emulator):
    async with client(emulator) as auth:
        emulator.do("advance", seconds=3601)
        await list_devices(auth, emulator)
    return ["/user/sign-in 200", "/device/list 401", "/auth/refresh 200", "/device/list 200"]


async def refreshes_ahead_of_expiry(emulator):
    emulator.do("settings", access_lifetime=NEAR_ITS_END)
    async with client(emulator) as auth:
        emulator.do("settings", access_lifetime=3600)
        await list_devices(auth, emulator)
        assert not auth.current_tokens.is_expired
    return ["/user/sign-in 200", "/auth/refresh 200", "/device/list 200"]


async def signs_in_ahead_of_aws_expiry(emulator):
    emulator.do("settings", aws_lifetime=NEAR_ITS_END)
    async with client(emulator) as auth:
        before = auth.current_tokens
        emulator.do("settings", aws_lifetime=3600)
        await list_devices(auth, emulator)
        assert auth.current_tokens.session_token != before.session_token
    return ["/user/sign-in 200", "/user/sign-in 200", "/device/list 200"]


async def lives_with_an_unknown_aws_lifetime(emulator):
    emulator.do("settings", aws_lifetime=None)
    async with client(emulator) as auth:
        emulator.do("settings", aws_lifetime=3600)
        assert auth.current_tokens.authorization_expires_in is None
        assert not auth.current_tokens.are_aws_credentials_expired
        await list_devices(auth, emulator)
    return ["/user/sign-in 200", "/device/list 200"]


async def restores_saved_tokens(emulator):
    async with client(emulator) as auth:
        saved = json.dumps(auth.current_tokens.to_dict())
    stored = AuthTokens.from_dict(json.loads(saved))
    async with client(emulator, stored=stored) as auth:
        await list_devices(auth, emulator)
    return ["/user/sign-in 200", "/device/list 200"]


async def refreshes_saved_tokens_that_are_old(emulator):
    async with client(emulator) as auth:
        saved = auth.current_tokens.to_dict()
    saved["issued_at"] = "2020-01-01T00:00:00"
    saved["authorization_expires_in"] = None
    async with client(emulator, stored=AuthTokens.from_dict(saved)) as auth:
        await list_devices(auth, emulator)
    return ["/user/sign-in 200", "/auth/refresh 200", "/device/list 200"]


async def is_refused_with_a_wrong_password(emulator):
    try:
        async with client(emulator, password="wrong"):
            raise AssertionError("signed in with a wrong password")
    except InvalidCredentialsError as error:
        assert error.status_code == 401, error
    return ["/user/sign-in 401"]


async def is_refused_with_a_revoked_refresh_token(emulator):
    async with client(emulator) as auth:
        emulator.do("revoke_refresh", email=EMAIL)
        try:
            await auth.refresh_token(auth.current_tokens.refresh_token)
            raise AssertionError("refreshed with a revoked token")
        except TokenRefreshError as error:
            assert error.status_code == 401, error
    return ["/user/sign-in 200", "/auth/refresh 401"]


async def loses_the_session_by_using_a_refresh_token_twice(emulator):
    async with client(emulator) as auth:
        first = auth.current_tokens.refresh_token
        await auth.refresh_token(first)
        try:
            await auth.refresh_token(first)
            raise AssertionError("a refresh token was good twice")
        except TokenRefreshError:
            pass
        try:
            await list_devices(auth, emulator)
            raise AssertionError("the session outlived the reuse of its refresh token")
        except APIError as error:
            assert error.code == 401, error
    return [
        "/user/sign-in 200",
        "/auth/refresh 200",
        "/auth/refresh 401",
        "/device/list 401",
        "/auth/refresh 401",
    ]


STEPS = [
    signs_in,
    calls_the_api,
    refreshes_and_repeats_after_a_401,
    notices_real_expiry_by_a_401,
    refreshes_ahead_of_expiry,
    signs_in_ahead_of_aws_expiry,
    lives_with_an_unknown_aws_lifetime,
    restores_saved_tokens,
    refreshes_saved_tokens_that_are_old,
    is_refused_with_a_wrong_password,
    is_refused_with_a_revoked_refresh_token,
    loses_the_session_by_using_a_refresh_token_twice,
]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: accept.py http://127.0.0.1:PORT")
    emulator = Emulator(sys.argv[1])
    for step in STEPS:
        name = step.__name__.replace("_", " ")
        before = emulator.count()
        try:
            wanted = asyncio.run(step(emulator))
            asked = emulator.since(before)
            assert asked == wanted, f"asked {asked}, wanted {wanted}"
        except Exception:
            traceback.print_exc()
            print(f"FAILED  {name}", flush=True)
            sys.exit(1)
        print(f"ok  {name}", flush=True)


if __name__ == "__main__":
    main()
