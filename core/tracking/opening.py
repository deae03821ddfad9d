"""Makes a store where none is, and tells installations apart that share one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import uuid4

from filelock import FileLock

from core.settings import Settings
from core.tracking import schema
from core.tracking.moved import follow_home


def ensure_store(settings: Settings) -> None:
    """Create store and experiment where they are missing, and follow a moved folder, one process at a time.

    Several processes that opened a missing database together each ran MLflow's migrations and broke it.
    """
    settings.check_writable()
    if _is_ready(settings):
        return
    with _store_lock(settings):
        if _is_ready(settings):
            return
        from mlflow import MlflowClient

        client = MlflowClient(settings.tracking_uri)
        if client.get_experiment_by_name(schema.EXPERIMENT) is None:
            on_disk = settings.tracking_uri.startswith(("sqlite:", "postgresql", "mysql"))
            location = settings.artifacts.as_uri() if on_disk else None  # a server knows its own place
            client.create_experiment(schema.EXPERIMENT, artifact_location=location)
        if is_own_database(settings):
            with closing(sqlite3.connect(settings.database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")  # kept in the file: readers never block
            follow_home(settings)


def _store_lock(settings: Settings) -> FileLock:
    return FileLock(settings.home / "store.lock")


def is_own_database(settings: Settings) -> bool:
    return settings.tracking_uri == f"sqlite:///{settings.database}"


def _is_ready(settings: Settings) -> bool:
    """Whether our own database is complete and knows where it lies; MLflow, if asked, would create it."""
    if not is_own_database(settings) or not settings.database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{settings.database}?mode=ro", uri=True)) as connection:
            found = connection.execute(
                "SELECT artifact_location FROM experiments WHERE name = ?", (schema.EXPERIMENT,)
            ).fetchone()
            wal = connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    except sqlite3.OperationalError:
        return False
    return found == (settings.artifacts.as_uri(),) and wal


def home_id(settings: Settings) -> str:
    """The id of an installation, to tell it from others that share a store; it moves with its folder."""
    path = settings.home / "home.id"
    if not path.exists():
        with _store_lock(settings):
            if not path.exists():
                draft = path.with_suffix(".draft")
                draft.write_text(uuid4().hex)
                draft.replace(path)  # whole: others read it without the lock
    return path.read_text()
