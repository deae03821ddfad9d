"""Tables of a store that are taken away for a while."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from core.tracking.store import RunStore


def rename(store: RunStore, table: str, to: str) -> None:
    with closing(sqlite3.connect(store.settings.database, timeout=30)) as connection, connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {to}")
