"""Lets the published Python client take up a session that was saved for it.

    python accept_saved.py < saved.json         prints what the client made of the file
    python accept_saved.py URL < saved.json     goes on with it at an emulator with its control endpoint: one API call;
                                                prints what was asked for that

What it prints is JSON. The password is never known here: the tokens have to do.
"""

import asyncio
import json
import sys

from nwp500.api_client import NavienAPIClient
from nwp500.auth import AuthTokens, NavienAuthClient

from emulator import Emulator


def load(saved):
    tokens = AuthTokens.from_dict(saved)
    # The client has the second deadline under no public name.
    ends = {"expires_at": tokens.expires_at, "aws_expires_at": tokens._aws_expires_at}
    return {"tokens": tokens.to_dict(), **{name: end and end.isoformat() for name, end in ends.items()}}


async def go_on(saved, emulator):
    before = emulator.count()
    stored = AuthTokens.from_dict(saved)
    async with NavienAuthClient(
        saved["email"], "unknown", base_url=emulator.navien, stored_tokens=stored
    ) as auth:
        await NavienAPIClient(auth, base_url=emulator.navien).list_devices()
    return {"asked": emulator.since(before)}


def main():
    saved = json.load(sys.stdin)
    if len(sys.argv) == 1:
        said = load(saved)
    elif len(sys.argv) == 2:
        said = asyncio.run(go_on(saved, Emulator(sys.argv[1])))
    else:
        sys.exit("usage: accept_saved.py [http://127.0.0.1:PORT] < saved.json")
    print(json.dumps(said))


if __name__ == "__main__":
    main()
