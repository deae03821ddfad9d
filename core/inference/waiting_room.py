"""Connections to the prediction process that have not made their request yet: how many, and how long.

Any process of the machine can connect. One that does not know the key, or says nothing, must take neither the
file descriptors nor the threads of the others.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock

MOST = 64  # connections without the key at once; one more ends the oldest
PROVE_S = 10.0  # how long a connection may take to show that it knows the key
REQUEST_S = 120.0  # how long a connection with the key may take to send its request
RETRY_S = 0.5  # before the next connection is accepted after one could not be


class WaitingRoom:
    """Ends connections that keep it waiting; each is closed by the thread that serves it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._unknown: dict[Connection, float] = {}  # when each came, the oldest first
        self._trusted: dict[Connection, float] = {}

    def enter(self, connection: Connection) -> None:
        """Let a new connection in, in the place of the oldest one where there are too many."""
        with self._lock:
            while len(self._unknown) >= MOST:
                oldest = next(iter(self._unknown))
                del self._unknown[oldest]
                _end(oldest)
            self._unknown[connection] = time.monotonic()

    def trust(self, connection: Connection) -> None:
        """Note that a connection knows the key: no number of others ends it any more."""
        with self._lock:
            self._unknown.pop(connection, None)
            self._trusted[connection] = time.monotonic()

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has made its request or is about to be closed."""
        with self._lock:
            self._unknown.pop(connection, None)
            self._trusted.pop(connection, None)

    def sweep(self) -> None:
        """End the connections that have taken too long."""
        now = time.monotonic()
        with self._lock:
            for room, limit_s in ((self._unknown, PROVE_S), (self._trusted, REQUEST_S)):
                for connection in [one for one, since in room.items() if now - since > limit_s]:
                    del room[connection]
                    _end(connection)


def _end(connection: Connection) -> None:
    """Make whoever reads from a connection find its end; the descriptor stays open until it is closed."""
    line = socket.socket(fileno=connection.fileno())  # the same descriptor: there may be no other one left
    try:
        with suppress(OSError):  # the other side has gone
            line.shutdown(socket.SHUT_RDWR)
    finally:
        line.detach()
