"""Takes the published Python client through a fixed course, so that its requests can be compared with ours.

    python steps.py http://127.0.0.1:PORT      (an emulator with its control endpoint and the old endpoint set)

The course: sign in; call the API; refresh; call the API with a token that was revoked, so that the client refreshes
and repeats the call. The emulator has recorded what was sent; nothing is checked here but that it went well.
"""

import asyncio
import sys

from nwp500.api_client import NavienAPIClient
from nwp500.auth import NavienAuthClient

from emulator import EMAIL, PASSWORD, Emulator


async def course(emulator):
    async with NavienAuthClient(EMAIL, PASSWORD, base_url=emulator.navien) as auth:
        api = NavienAPIClient(auth, base_url=emulator.navien)
        await api.list_devices()
        await auth.refresh_token(auth.current_tokens.refresh_token)
        emulator.do("revoke_access", email=EMAIL)
        await api.list_devices()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: steps.py http://127.0.0.1:PORT")
    asyncio.run(course(Emulator(sys.argv[1])))
