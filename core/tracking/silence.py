"""Time limits for PostgreSQL servers that accept connections and do not answer, in MLflow's engine too.

Neither libpq nor TCP has a limit for that: the kernel of a server that is stopped, or whose disk hangs, still
acknowledges packets, and a pooled connection waits for its answer for ever. Imported, this module limits
every SQLAlchemy engine of the process that uses psycopg.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import Dialect

if TYPE_CHECKING:
    import psycopg

LIMIT = "MLFLOW_HTTP_REQUEST_TIMEOUT"  # the wait for a server, and for a database
MLFLOW_LIMIT_S = 120.0  # where that is not set
AFTER_SILENCE_S = 2.0  # without a new connection, which SQLAlchemy tries when its ping fails

_limit_s: ContextVar[float | None] = ContextVar("limit_s", default=None)
_silent: dict[tuple[str, str], tuple[float, str]] = {}  # when hosts and ports last gave no answer; in words


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit the wait for every answer of a database inside this context."""
    token = _limit_s.set(seconds)
    try:
        yield
    finally:
        _limit_s.reset(token)


def limit_s() -> float:
    """Return after how many seconds without an answer a connection to a database is closed."""
    general = float(os.environ.get(LIMIT) or MLFLOW_LIMIT_S)
    return min(general, _limit_s.get() or general)


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Dialect, _record: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Connect with a limit where the driver is psycopg; None leaves it to SQLAlchemy."""
    return _connection_class().connect(*arguments, **named) if dialect.driver == "psycopg" else None


@cache
def _connection_class() -> type[psycopg.Connection]:
    """Psycopg's connection with a limit; made on demand, since the package is needed for PostgreSQL only."""
    import psycopg

    class ImpatientConnection(psycopg.Connection):
        @classmethod
        def connect(cls, *arguments: Any, **named: Any) -> Any:
            where = str(named.get("host") or ""), str(named.get("port") or "")
            when, sentence = _silent.get(where, (-math.inf, ""))
            if time.monotonic() - when < AFTER_SILENCE_S:
                raise psycopg.OperationalError(sentence)
            connection = super().connect(*arguments, **named)
            connection.asked_at = where
            return connection

        asked_at = ("", "")

        def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
            try:
                return super().wait(_limited(gen, limit_s()), *arguments, **named)
            except TimeoutError as error:
                if _limit_s.get() is not None:  # a ping; a long statement says nothing of the server
                    _silent[self.asked_at] = time.monotonic(), str(error)
                self.pgconn.finish()  # what it was asked for may still arrive
                raise psycopg.OperationalError(str(error)) from error

    return ImpatientConnection


def _limited(gen: Generator[Any, Any, Any], limit: float) -> Generator[Any, Any, Any]:
    """The steps of one of psycopg's requests. Raises TimeoutError when nothing arrives for `limit` seconds.

    Psycopg sends 0 ten times a second while the server neither says anything nor takes more.
    """
    heard = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > limit:
                raise TimeoutError(f"It gave no answer within {limit:.0f} s.")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
