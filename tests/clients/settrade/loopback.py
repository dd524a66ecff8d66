"""Makes the published client speak to an emulator, and to nothing else.

The client's addresses are written into it, and each instance asks an NTP host. Both are replaced here; whatever
still wants to leave this machine fails. Import this first: the client writes into its user's home when imported.
"""

import os
import socket
import tempfile

HOSTS = ("https://open-api.settrade.com", "https://open-api-test.settrade.com")

# The client's configuration and log go here. The first of these three that is set decides, so all are.
home = tempfile.TemporaryDirectory(prefix="settrade-")
for name in ("HOMEPATH", "USERPROFILE"):
    os.environ.pop(name, None)
os.environ["HOMEDRIVE"] = os.environ["HOME"] = home.name
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

_connect = socket.socket.connect


def _connect_here(self, address):
    if address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"the client wanted to leave this machine: {address[0]}")
    return _connect(self, address)


def _no_names(host, *args, **kwargs):
    if host not in ("127.0.0.1", "localhost"):
        raise AssertionError(f"the client wanted to leave this machine: {host}")
    return _getaddrinfo(host, *args, **kwargs)


_getaddrinfo = socket.getaddrinfo
socket.socket.connect = _connect_here
socket.getaddrinfo = _no_names

import ntplib  # noqa: E402
import requests  # noqa: E402

asked = []  # "METHOD path status", in order, whatever was asked of the emulator
asked_time_of = []  # NTP hosts


def _no_time(self, host, *args, **kwargs):
    asked_time_of.append(host)
    raise ntplib.NTPException("there is no time to be had")


ntplib.NTPClient.request = _no_time


def request_to(emulator):
    """`requests.request`, but what is meant for the service arrives at the emulator, otherwise unchanged."""

    def request(method, url, **arguments):
        assert url.startswith(HOSTS), url
        host = next(host for host in HOSTS if url.startswith(host))
        response = requests.request(method=method, url=emulator + url.removeprefix(host), timeout=20, **arguments)
        name = "production" if host == HOSTS[0] else "UAT"
        asked.append(f"{name} {method} {url.removeprefix(host)} {response.status_code}")
        return response

    return request
