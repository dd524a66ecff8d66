"""Lets the published Python client of the Settrade Open API (settrade_v2) judge the emulator.

    python accept.py http://127.0.0.1:PORT APP_ID APP_SECRET APP_CODE

Prints one line for each step; stops with a non-zero status at the first that fails. Steps that the client itself
cannot take are printed as left out, with the reason.
"""

import sys
import traceback

import loopback
from settrade_v2 import context, realtime
from settrade_v2.errors import SettradeError
from settrade_v2.user import Investor

OAM = "/api/oam/v1/098/broker-apps/{}"
INFO = "UAT GET /api/seos/v3/098/accounts/1/account-info"
DISPATCHER = "UAT GET /api/dispatcher/v3/098/token"


class Client:
    """The client as its users make it, in the sandbox."""

    def __init__(self, app_id, app_secret, app_code):
        self.app_id, self.app_secret, self.app_code = app_id, app_secret, app_code
        self.version = "UAT GET /sdk-open-api/sdk-version.json 200"
        self.login = f"UAT POST {OAM.format(app_code)}/login"
        self.refresh = f"UAT POST {OAM.format(app_code)}/refresh-token"

    def investor(self, broker="SANDBOX", app_secret=None):
        return Investor(
            app_id=self.app_id,
            app_secret=app_secret or self.app_secret,
            app_code=self.app_code,
            broker_id=broker,
        )


def signs_in(client):
    user = client.investor()._ctx
    assert user.token_type == "Bearer" and len(user.token) > 500 and len(user.refresh_token) > 500
    assert loopback.asked_time_of == ["2.asia.pool.ntp.org"], loopback.asked_time_of
    return [client.version, f"{client.login} 200"]


def writes_sandbox_in_any_case(client):
    client.investor(broker="sandBox")
    return [client.version, f"{client.login} 200"]


def calls_the_api(client):
    info = client.investor().Equity("1").get_account_info()
    assert info["cashBalance"] > 0, info
    return [client.version, f"{client.login} 200", f"{INFO} 200"]


def refreshes_ahead_of_expiry(client):
    user = client.investor()
    before = (user._ctx.token, user._ctx.refresh_token)
    user._ctx.expired_at = 0
    user.Equity("1").get_account_info()
    assert user._ctx.token != before[0] and user._ctx.refresh_token != before[1]
    assert user._ctx.token_type == "Bearer" and not user._ctx._should_refresh()
    return [client.version, f"{client.login} 200", f"{client.refresh} 200", f"{INFO} 200"]


def fetches_a_dispatcher_token(client):
    user = client.investor()
    seen = []
    original = realtime.CallBacker
    # Stands where the client would open the MQTT connection, with what it would open it with.
    realtime.CallBacker = lambda **arguments: seen.append(arguments)
    try:
        user.RealtimeDataConnection()._get_call_backer(client_id="x")
    finally:
        realtime.CallBacker = original
    (ticket,) = seen
    assert ticket["host"] == "127.0.0.1" and ticket["path"] == "/api/dispatcher/v3/098/mqtt", ticket
    assert ticket["token_type"] == "Bearer" and len(ticket["token"]) > 500
    return [client.version, f"{client.login} 200", f"{DISPATCHER} 200"]


def is_refused_with_another_secret(client):
    try:
        client.investor(app_secret="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        raise AssertionError("signed in with a wrong secret")
    except SettradeError as error:
        assert error.status_code == 401 and error.code == "OAM-401" and str(error) == "Unauthorized", error
    return [client.version, f"{client.login} 401"]


def is_refused_with_another_broker(client):
    try:
        client.investor(broker="041")
        raise AssertionError("signed in at another broker")
    except SettradeError as error:
        assert error.status_code == 404 and error.code, error
    # It stays in the environment of the last sandbox: it keeps that in a module.
    return [client.version, f"UAT POST /api/oam/v1/041/broker-apps/{client.app_code}/login 404"]


def is_refused_with_a_wrong_clock(client):
    original = context.get_current_milli_timestamp_str
    context.get_current_milli_timestamp_str = lambda: "1588136696131"
    try:
        client.investor()
        raise AssertionError("signed in with a clock that is years late")
    except SettradeError as error:
        assert error.status_code == 401, error
    finally:
        context.get_current_milli_timestamp_str = original
    return [client.version, f"{client.login} 401"]


def swallows_a_refused_refresh(client):
    # What the emulator has to answer is seen here; that the client goes on with the dead token is its own fault.
    user = client.investor()._ctx
    token, user.refresh_token = user.token, "spent"
    assert user.refresh() is None and user.token == token
    return [client.version, f"{client.login} 200", f"{client.refresh} 401"]


STEPS = [
    signs_in,
    writes_sandbox_in_any_case,
    calls_the_api,
    refreshes_ahead_of_expiry,
    fetches_a_dispatcher_token,
    is_refused_with_another_secret,
    is_refused_with_another_broker,
    is_refused_with_a_wrong_clock,
    swallows_a_refused_refresh,
]

LEFT_OUT = {
    "signs in again after a refused refresh": "the client swallows the refusal and goes on with the dead token",
    "corrects its clock": "the client asks an NTP host, and then does not use what it heard for the signature",
    "signs out": "the client has no such call",
    "opens the MQTT connection": "the client connects to port 443 only, and trusts public authorities only",
    "fetches a new token for each reconnect": "the client keeps the first dispatcher token for ever",
}


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: accept.py http://127.0.0.1:PORT APP_ID APP_SECRET APP_CODE")
    emulator = sys.argv[1].rstrip("/")
    # The name that the client sends everything through.
    context.request = loopback.request_to(emulator)
    client = Client(*sys.argv[2:])
    for step in STEPS:
        name = step.__name__.replace("_", " ")
        loopback.asked.clear()
        loopback.asked_time_of.clear()
        try:
            wanted = step(client)
            assert loopback.asked == wanted, f"asked {loopback.asked}, wanted {wanted}"
        except Exception:
            traceback.print_exc()
            print(f"FAILED  {name}", flush=True)
            sys.exit(1)
        print(f"ok  {name}", flush=True)
    for step, reason in LEFT_OUT.items():
        print(f"left out  {step}: {reason}", flush=True)


if __name__ == "__main__":
    main()
