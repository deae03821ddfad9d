"""Limits on connections to the prediction process that have not sent their request yet.

Any process of the machine can connect. One that does not know the key, or sends nothing, must not use up file
descriptors or threads.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock

MOST = 64  # connections without the key at once; one more closes the oldest
PROVE_S = 10.0  # how long a connection may take to show that it knows the key
REQUEST_S = 120.0  # how long a connection with the key may take to send its request
RETRY_S = 0.5  # pause after a connection could not be accepted


class PendingConnections:
    """Shuts down connections that take too long; the thread that serves one closes it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._unknown: dict[Connection, float] = {}  # time of arrival, oldest first
        self._trusted: dict[Connection, float] = {}

    def enter(self, connection: Connection) -> None:
        """Add a new connection; the oldest one is ended where there are too many."""
        with self._lock:
            while len(self._unknown) >= MOST:
                oldest = next(iter(self._unknown))
                del self._unknown[oldest]
                _end(oldest)
            self._unknown[connection] = time.monotonic()

    def trust(self, connection: Connection) -> None:
        """Note that a connection knows the key: others no longer end it."""
        with self._lock:
            self._unknown.pop(connection, None)
            self._trusted[connection] = time.monotonic()

    def leave(self, connection: Connection) -> None:
        """Remove a connection that has sent its request or is about to be closed."""
        with self._lock:
            self._unknown.pop(connection, None)
            self._trusted.pop(connection, None)

    def sweep(self) -> None:
        """End the connections that take too long."""
        now = time.monotonic()
        with self._lock:
            for room, limit_s in ((self._unknown, PROVE_S), (self._trusted, REQUEST_S)):
                for connection in [one for one, since in room.items() if now - since > limit_s]:
                    del room[connection]
                    _end(connection)


def _end(connection: Connection) -> None:
    """Make reads from a connection return its end; the descriptor stays open until it is closed."""
    line = socket.socket(fileno=connection.fileno())  # the same descriptor: there may be none left for a copy
    try:
        with suppress(OSError):  # the other side has gone
            line.shutdown(socket.SHUT_RDWR)
    finally:
        line.detach()
