"""Brings our own database to the schema of the installed MLflow."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from core.system.settings import Settings
from core.tracking.errors import Fault, StoreError

REVISION = re.compile(r"^(down_)?revision\s*(?::[^=]+)?=\s*[\"'](\w+)[\"']", re.MULTILINE)


def migrate(settings: Settings) -> None:
    """Migrate a database that an older MLflow has written. Call it under the lock of the store.

    A copy of it lies beside it until this has succeeded. Raises StoreError for one of a newer MLflow.
    """
    version = schema_of(settings.database)
    if version is None or version == newest_schema():
        return
    if version not in schemas():
        reason = "It was written by a newer version of MLflow than the one that is installed."
        raise StoreError(settings.tracking_uri, reason, Fault.REFUSED)
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine_with_retry

    copy = settings.database.with_name(f"{settings.database.stem}.before-migration.db")
    copy.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(settings.database)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error:
        copy.unlink(missing_ok=True)
        raise
    engine = create_sqlalchemy_engine_with_retry(settings.tracking_uri)
    try:
        _upgrade_db(engine)
    finally:
        engine.dispose()
    copy.unlink()


def schema_of(database: Path) -> str | None:
    """The revision of a database's schema; None where there is no database, or an empty one."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return found[0] if found else None


def newest_schema() -> str:
    """The revision that the installed MLflow works with."""
    return schemas()[-1]


@cache
def schemas() -> list[str]:
    """All revisions that the installed MLflow knows, the newest last.

    Read from its files: importing it takes seconds.
    """
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "store" / "db_migrations" / "versions"
    after: dict[str, str] = {}
    first = ""
    for file in folder.glob("*.py"):
        found = {down: name for down, name in REVISION.findall(file.read_text(encoding="utf-8"))}
        if "down_" in found:
            after[found["down_"]] = found[""]
        elif "" in found:
            first = found[""]
    ordered = [first]
    while ordered[-1] in after:
        ordered.append(after[ordered[-1]])
    return ordered
