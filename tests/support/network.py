"""Keep what a test does from the network."""

from __future__ import annotations

import urllib.request

import pytest

CLOSED_PORT = "http://127.0.0.1:9"  # nothing listens there


def close_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every request of this process and of those it starts to a proxy that is not there.

    urllib reads the proxies at its first request and keeps them for the life of the process: a test that
    closes the network also takes back what urllib kept, before and after itself.
    """
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CLOSED_PORT)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
