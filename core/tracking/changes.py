"""What was written to a tracking database since the last look, without reading all of it again.

MLflow's tables carry no time of change. Each database has something of its own that serves instead: SQLite
counts the commits of other connections and numbers the rows of a table in the order of insertion, PostgreSQL
marks each row with the transaction that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, text

Rows = Sequence[Sequence[Any]]
Token = tuple[Any, ...]

METRIC_ROW = "key, timestamp, step, run_uuid, value, is_nan"


class Changes(Protocol):
    """Tells what changed in one database. A connection is one that is kept for this purpose alone."""

    def token(self, connection: Connection) -> Token:
        """Return a value that differs from an earlier one if anything was committed in between."""

    def begin(self, connection: Connection) -> None:
        """Let all reads until the end of the transaction see one state of the database."""

    def mark(self, connection: Connection) -> Token:
        """Return the place up to which `params` and `metrics` have seen the database."""

    def params(self, connection: Connection, since: Token) -> Rows | None:
        """Return run_uuid, key and value of the parameters that were written after a mark.

        None: the database cannot tell, and all is to be read again.
        """

    def metrics(self, connection: Connection, since: Token) -> Rows | None:
        """Return run_uuid, key, value, is_nan and step of the latest metrics written after a mark."""


class SqliteChanges:
    """Changes of an SQLite file. Rows are appended with growing row ids; parameters are never updated."""

    def token(self, connection: Connection) -> Token:
        return tuple(_row(connection, "PRAGMA data_version"))

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def mark(self, connection: Connection) -> Token:
        """The last rows, whole: one that is found unchanged at its row id proves that none below moved."""
        return (
            _last(connection, "params", "key, run_uuid, value"),
            _last(connection, "metrics", METRIC_ROW),
        )

    def params(self, connection: Connection, since: Token) -> Rows | None:
        last = since[0]
        if not _stands(connection, "params", "key, run_uuid, value", last):
            return None
        return rows_of(connection, f"SELECT run_uuid, key, value FROM params WHERE rowid > {last[0]}")

    def metrics(self, connection: Connection, since: Token) -> Rows | None:
        last = since[1]
        if not _stands(connection, "metrics", METRIC_ROW, last):
            return None
        return rows_of(
            connection,
            "SELECT run_uuid, key, value, is_nan, step FROM latest_metrics WHERE run_uuid IN "
            f"(SELECT run_uuid FROM metrics WHERE rowid > {last[0]})",
        )


class PostgresChanges:
    """Changes of a PostgreSQL database: every version of a row names the transaction that wrote it."""

    def token(self, connection: Connection) -> Token:
        return (str(_row(connection, "SELECT pg_current_snapshot()::text")[0]),)

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def mark(self, connection: Connection) -> Token:
        """The oldest transaction that had not ended: what it and all later ones write is unseen."""
        row = _row(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296")
        return (int(row[0]),)

    def params(self, connection: Connection, since: Token) -> Rows | None:
        return rows_of(connection, f"SELECT run_uuid, key, value FROM params WHERE {_written(since)}")

    def metrics(self, connection: Connection, since: Token) -> Rows | None:
        return rows_of(
            connection,
            f"SELECT run_uuid, key, value, is_nan, step FROM latest_metrics WHERE {_written(since)}",
        )


def changes_of(uri: str) -> Changes:
    return SqliteChanges() if uri.startswith("sqlite") else PostgresChanges()


def rows_of(connection: Connection, statement: str, values: Iterable[Any] = ()) -> list[Any]:
    """Fetch all rows as the driver returns them; SQLAlchemy's own rows would take half of the time.

    values: bound in order, where the statement has `?`.
    """
    bound = tuple(values)
    if connection.dialect.paramstyle in ("format", "pyformat"):
        statement = statement.replace("%", "%%").replace("?", "%s") if bound else statement
    result = connection.exec_driver_sql(statement, bound) if bound else connection.exec_driver_sql(statement)
    cursor = result.cursor
    assert cursor is not None
    found = cursor.fetchall()
    result.close()
    return list(found)


def _row(connection: Connection, statement: str) -> Any:
    return connection.execute(text(statement)).fetchone()


def _last(connection: Connection, table: str, columns: str) -> Token:
    found = rows_of(connection, f"SELECT rowid, {columns} FROM {table} ORDER BY rowid DESC LIMIT 1")
    return tuple(found[0]) if found else (0,)


def _stands(connection: Connection, table: str, columns: str, last: Token) -> bool:
    if last == (0,):
        return True
    found = rows_of(connection, f"SELECT rowid, {columns} FROM {table} WHERE rowid = {last[0]}")
    return bool(found) and tuple(found[0]) == last


def _written(since: Token) -> str:
    return f"age(xmin) <= age('{since[0]}'::xid)"
