"""The emulator's knobs: /_control/... over the standard library, so that the client under test is not involved."""

import json
import urllib.request

EMAIL = "grower@example.com"
PASSWORD = "correct horse battery"


class Emulator:
    """Talks to an emulator that was started with its control endpoint."""

    def __init__(self, url):
        self.url = url.rstrip("/").removesuffix("/api/v2.1")
        self.navien = self.url + "/api/v2.1"
        # Loopback goes through no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def do(self, name, **body):
        """Turns a knob."""
        self._exchange(name, json.dumps(body).encode())

    def tell(self, name):
        """Reads a recording or the counters."""
        return self._exchange(name, None)

    def since(self, number):
        """What was asked after that many requests: ``path status`` each."""
        return [
            f"{r['path'].removeprefix('/api/v2.1')} {r['status']}" for r in self.tell("requests")[number:]
        ]

    def count(self):
        """How many requests were recorded."""
        return len(self.tell("requests"))

    def _exchange(self, name, body):
        request = urllib.request.Request(f"{self.url}/_control/{name}", data=body)
        with self._opener.open(request, timeout=10) as response:
            return json.load(response)
