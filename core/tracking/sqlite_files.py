"""Detects that the file of an SQLite database was deleted, replaced or made read-only while it is open.

SQLite goes on with the file that it opened: writes into a deleted one succeed and are lost, and a connection
that was opened while a disk was read-only stays so. Here every connection of this process, MLflow's too, is
compared with the file when it is taken, and opened anew where need be.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, exc
from sqlalchemy.pool import Pool

from core.system.files import write_whole

FILE = "archlab-file"  # of a connection's record: path, device and inode
# After these a connection is not used again: what they complain of may have passed for the next one.
STALE = ("readonly database", "disk I/O error", "unable to open database file", "disk image is malformed")
NOTED = ".file"  # suffix of the note which file the journal of a database belongs to

_opened: set[str] = set()  # databases that this process has had open: none of these is to be created


def watch() -> None:
    """Watch the files of all SQLite connections that SQLAlchemy makes in this process from now on."""
    if not event.contains(Engine, "do_connect", _before_connect):
        event.listen(Engine, "do_connect", _before_connect)
        event.listen(Engine, "handle_error", _after_error)
        event.listen(Pool, "connect", _after_connect)
        event.listen(Pool, "checkout", _before_use)


def _before_connect(dialect: Any, record: Any, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """Keep connections from creating an empty database in place of a deleted one."""
    if dialect.name == "sqlite" and arguments and arguments[0] in _opened:
        _require(arguments[0])


def _after_connect(connection: Any, record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    path = next((row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"), "")
    if path:
        record.info[FILE] = path, *_identity(path)
        _opened.add(path)


def _before_use(connection: Any, record: Any, proxy: Any) -> None:
    if not is_current(record.info):
        path = record.info[FILE][0]
        raise exc.DisconnectionError(f"{path} was replaced")  # the pool opens another connection


def is_current(info: Any) -> bool:
    """Whether a connection, given SQLAlchemy's info of it, has the file open that now lies at its path.

    Raises sqlite3.OperationalError when there is no file, or another one beside the journal of this one.
    """
    if FILE not in info:
        return True
    path, *identity = info[FILE]
    _require(path)
    if identity == [*_identity(path)]:
        return True
    require_own_journal(path)
    return False


def _after_error(context: Any) -> None:
    if isinstance(context.original_exception, sqlite3.DatabaseError):
        text = str(context.original_exception)
        context.is_disconnect = context.is_disconnect or any(words in text for words in STALE)


def require_own_journal(path: str) -> None:
    """Refuse a database that is missing, or was replaced while its journal still exists.

    SQLite would write that journal into whatever file is at the path, which breaks a backup that was put
    there, and would remove it with an empty database, which loses what is not in the file yet. The file
    beside the database notes which one the journal belongs to. Raises sqlite3.OperationalError.
    """
    journal = os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal") > 0
    if not os.path.exists(path):
        if journal:
            _require(path)
        return
    noted = Path(f"{path}{NOTED}")
    device, inode = _identity(path)
    known, now = noted.read_text(errors="replace") if noted.exists() else "", f"{device}:{inode}"
    if known == now:
        return
    if known and journal:
        raise sqlite3.OperationalError(
            f"The database {path} was replaced by another file, and the journal {path}-wal of the one before "
            "still lies beside it. End the program, remove the journal and start again; if the whole folder "
            f"was copied, remove {noted.name} instead."
        )
    with suppress(OSError):  # a home that is read-only now
        write_whole(noted, now)


def _require(path: str) -> None:
    if not os.path.exists(path):
        raise sqlite3.OperationalError(
            f"The database {path} was deleted or moved while the program uses it. Put it back, or end the "
            "program and start it again to begin with an empty one."
        )


def _identity(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
