"""Creates a missing store, and gives each installation that shares one an id of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import uuid4

from filelock import FileLock

from core.system.files import write_whole
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.connections import is_database
from core.tracking.migration import migrate, newest_schema
from core.tracking.moved import follow_home
from core.tracking.sqlite_files import require_own_journal


def ensure_store(settings: Settings) -> None:
    """Create store and experiment where they are missing, and follow a moved folder, one process at a time.

    Several processes that opened a missing database together each ran MLflow's migrations and broke it.
    """
    settings.check_writable()
    if is_own_database(settings):
        require_own_journal(str(settings.database))
    if _is_ready(settings):
        return
    with _store_lock(settings):
        if _is_ready(settings):
            return
        if is_own_database(settings):
            migrate(settings)
        from mlflow import MlflowClient

        client = MlflowClient(settings.tracking_uri)
        if client.get_experiment_by_name(schema.EXPERIMENT) is None:
            # a server keeps its own paths
            location = settings.artifacts.as_uri() if is_database(settings.tracking_uri) else None
            client.create_experiment(schema.EXPERIMENT, artifact_location=location)
        if is_own_database(settings):
            with closing(sqlite3.connect(settings.database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # kept in the file: readers never block
            follow_home(settings)


def _store_lock(settings: Settings) -> FileLock:
    return FileLock(settings.home / "store.lock")


def database_identity(settings: Settings) -> tuple[int, int] | None:
    """Return what identifies the file of our own database; None where there is none."""
    if not is_own_database(settings):
        return None
    try:
        found = settings.database.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_own_database(settings: Settings) -> bool:
    return settings.tracking_uri == f"sqlite:///{settings.database}"


def _is_ready(settings: Settings) -> bool:
    """Whether our own database is complete and has its present path; asking MLflow would create it."""
    if not is_own_database(settings) or not settings.database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{settings.database}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT artifact_location FROM experiments WHERE name = ?", (schema.EXPERIMENT,)
            ).fetchone()
            wal = connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            schema_version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        return False
    newest = schema_version == (newest_schema(),)
    return found == (settings.artifacts.as_uri(),) and wal and newest


def home_id(settings: Settings) -> str:
    """Return the id of an installation, which others that share its store lack; it moves with its folder."""
    path = settings.home / "home.id"

    def known() -> str:
        return path.read_text(errors="replace").strip() if path.exists() else ""

    if not known():  # nor where it is empty, after a power cut
        with _store_lock(settings):
            if not known():
                write_whole(path, uuid4().hex)
    return known()
