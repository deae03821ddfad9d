"""Closes the databases that tests leave open: a process runs hundreds of tests, and each leaves some."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event

from core.tracking.read_model import read_model

_used: WeakSet[Engine] = WeakSet()  # the program's and MLflow's


@event.listens_for(Engine, "engine_connect")
def _note(connection: Connection) -> None:
    _used.add(connection.engine)


def close_databases(folder: Path) -> None:
    """Close all connections of this process to SQLite databases in `folder`; a later use opens others."""
    for engine in list(_used):
        database = engine.url.database or ""
        if engine.dialect.name == "sqlite" and Path(database).is_relative_to(folder):
            read_model(str(engine.url)).close()
            engine.dispose()
