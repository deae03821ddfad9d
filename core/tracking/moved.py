"""Follows a home that was moved: MLflow's tables hold absolute paths of artifacts."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from core.system.settings import Settings
from core.tracking import schema

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
BUSY_S = 20.0  # how long others may write before this gives up


def follow_home(settings: Settings) -> None:
    """Let our own database name the artifacts of `settings`, all of them or none.

    Call it under the lock of the store. What lies outside the artifacts' folder stays where it is.
    """
    after = settings.artifacts.as_uri()
    with closing(sqlite3.connect(settings.database, timeout=BUSY_S)) as connection, connection:
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        (before,) = connection.execute(query, (schema.EXPERIMENT,)).fetchone()
        if before == after:
            return
        for table, column in PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = :after || substr({column}, length(:before) + 1) "
                f"WHERE {column} = :before OR substr({column}, 1, length(:before) + 1) = :before || '/'",
                {"before": before, "after": after},
            )
