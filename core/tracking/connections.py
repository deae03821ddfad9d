"""Connections of this process to the tracking store, which fail within seconds when it is unreachable.

MLflow itself tries for minutes before it says that a server or a database is away.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

from sqlalchemy import URL, Connection, Engine, create_engine, literal, make_url, select
from sqlalchemy.exc import ArgumentError

from core.system.settings import SettingsError
from core.tracking.errors import Fault, StoreError, first_line, shown, store_errors
from core.tracking.patience import once_more
from core.tracking.silence import at_most
from core.tracking.sqlite_files import is_current, watch

DATABASES = ("sqlite", "postgresql")
UNTESTED = {
    "mysql": "MySQL is not supported",
    "mariadb": "MariaDB is not supported",
    "mssql": "SQL Server is not supported",
    "oracle": "Oracle is not supported",
    "postgres": "SQLAlchemy wants the name 'postgresql' in it",
}
CONNECT_S, ANSWER_S = (
    4.0,
    4.0,
)  # how long a store may take to accept a connection, and to answer a first question
GONE_AFTER_MS = (
    8000  # a connection to PostgreSQL is given up when its packets are not acknowledged for so long
)
TRUST_S = 2.0  # how long an answer, or the lack of one, is taken for granted
GATEWAY_STATUSES = (502, 503, 504)  # of a proxy whose server is away


def check_uri(uri: str) -> None:
    """Raise SettingsError for a store of a kind that is not supported."""
    kind = re.split(r"[+:]", uri, maxsplit=1)[0].lower()
    if kind in UNTESTED:
        raise SettingsError(
            "MLFLOW_TRACKING_URI must name an SQLite or PostgreSQL database or an MLflow server. "
            f"{UNTESTED[kind]}. Received: {shown(uri)}."
        )


def is_database(uri: str) -> bool:
    """Whether MLflow keeps the store in a database that can be read without MLflow."""
    return uri.startswith(tuple(f"{name}{end}" for name in DATABASES for end in ":+"))


@contextmanager
def connected(uri: str) -> Iterator[Connection]:
    """Connect to a store that is a database. Raises StoreError when it cannot be used."""
    with asking(uri), _connection(uri) as connection:
        yield connection


class KeptConnection:
    """A connection to a database that is kept open between uses, for one thread at a time.

    SQLite counts the commits of others only for a connection that stays the same.
    """

    def __init__(self, uri: str):
        self.uri = uri
        self._connection: Connection | None = None

    @contextmanager
    def use(self) -> Iterator[tuple[Connection, bool]]:
        """Yield the connection, and whether it is another one than the last time.

        It is opened anew when it is lost, or its file was replaced. Raises StoreError.
        """
        with asking(self.uri):
            is_new = not self._still_works()
            if is_new:
                self._connection = _open(self.uri)
            assert self._connection is not None
            try:
                yield self._connection, is_new
            except BaseException:
                self.close()
                raise

    def _still_works(self) -> bool:
        if self._connection is None:
            return False
        try:
            if self.uri.startswith("sqlite"):
                works = is_current(self._connection.info)
            else:
                with at_most(ANSWER_S):
                    works = self._connection.scalar(select(literal(1))) == 1
                self._connection.rollback()
        except Exception:
            self.close()
            raise
        if not works:
            self.close()
        return works

    def close(self) -> None:
        """Close the connection, if there is one; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # whatever it answers, it is not used again
                connection.invalidate()
                connection.close()


@contextmanager
def asking(uri: str) -> Iterator[None]:
    """Wrap requests by MLflow's client: raises StoreError, for a moment after a failure at once."""
    try:
        with store_errors(uri):
            yield
    except StoreError as error:
        if error.fault is Fault.AWAY and not uri.startswith("sqlite:"):
            _note_failure(uri, error, error.reason)
        raise


def require_answer(uri: str) -> None:
    """Raise StoreError, within seconds, when nothing answers at the store's address.

    Asks at most once every two seconds, however many callers there are; for a local file it asks nothing.
    """
    if uri.startswith("sqlite:") or "://" not in uri:
        return
    with _asking:
        _raise_recent_failure(uri)
        if time.monotonic() - _answered.get(uri, -math.inf) < TRUST_S:
            return
        if is_database(uri):
            with at_most(ANSWER_S), connected(uri) as connection:
                connection.execute(select(literal(1)))
        elif uri.startswith(("http:", "https:")):
            _ask_server(uri)
        _answered[uri] = time.monotonic()


watch()  # before the first connection, and so before any of MLflow's

_asking = Lock()
_answered: dict[str, float] = {}  # when each store last answered
_failures: dict[str, tuple[float, str]] = {}  # when each store was last out of reach, and why


@contextmanager
def _connection(uri: str) -> Iterator[Connection]:
    """A connection; that there is none is remembered for a moment, so that a page waits for it only once."""
    with _open(uri) as connection:
        yield connection


def _open(uri: str) -> Connection:
    _raise_recent_failure(uri)
    try:
        with at_most(ANSWER_S):  # the driver asks whether the connection still works
            return _engine(uri).connect()
    except Exception as error:
        if not uri.startswith("sqlite:"):
            _note_failure(uri, error)
        raise


def _ask_server(uri: str) -> None:
    """Whether the server answers at all; the answer of a proxy that cannot reach it does not count."""
    import requests

    def ask() -> requests.Response:
        return requests.get(f"{uri.rstrip('/')}/health", timeout=(CONNECT_S, ANSWER_S))

    try:
        answer = once_more(ask)()
    except requests.exceptions.SSLError:
        return  # somebody is there; MLflow has settings of its own for certificates
    except requests.exceptions.Timeout as error:
        raise _note_failure(uri, error, f"It gave no answer within {ANSWER_S:.0f} s.") from error
    except requests.exceptions.RequestException as error:
        raise _note_failure(uri, error) from error
    if answer.status_code in GATEWAY_STATUSES:
        reason = f"A proxy answers that its server is away ({answer.status_code} {answer.reason})."
        raise _note_failure(uri, None, reason)


def _note_failure(uri: str, error: BaseException | None, reason: str = "") -> StoreError:
    found = re.search(r"\[Errno -?\d+\] ([^')\"\n]+)", str(error))
    if not reason:
        reason = f"{found.group(1)}." if found else first_line(error) if error else "It does not answer."
    when, known = _failures.get(uri, (-math.inf, ""))
    if reason != known or time.monotonic() - when >= TRUST_S:  # else whoever asks would prolong it
        _failures[uri] = time.monotonic(), reason
    return StoreError(uri, reason, Fault.AWAY)


def _raise_recent_failure(uri: str) -> None:
    when, reason = _failures.get(uri, (-math.inf, ""))
    if time.monotonic() - when < TRUST_S:
        raise StoreError(uri, reason, Fault.AWAY)


@cache
def _engine(uri: str) -> Engine:
    """The connections of this process; each is tried first, since a server closes those that were idle.

    Raises SettingsError when the database's driver is not installed.
    """
    try:
        url = make_url(uri)
        return create_engine(url, pool_pre_ping=True, connect_args=_limits(url))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"The tracking store {shown(uri)} needs the Python package {error.name}. "
            "For postgresql:// run .venv/bin/pip install -r requirements-postgres.txt -c constraints.txt"
        ) from error
    except ArgumentError as error:
        raise SettingsError(f"MLFLOW_TRACKING_URI is not an address. Received: {shown(uri)}.") from error


def _limits(url: URL) -> dict[str, int]:
    """libpq's limits, for the drivers that are built on it; what the address itself sets counts."""
    if url.get_dialect().driver not in ("psycopg", "psycopg2"):
        return {}
    limits = {"connect_timeout": int(CONNECT_S), "tcp_user_timeout": GONE_AFTER_MS}
    return {name: value for name, value in limits.items() if name not in url.query}
