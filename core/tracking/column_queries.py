"""The SQL by which the parameters, metrics and tags of runs are read as columns, from MLflow's own tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection

from core.tracking.changes import Rows, rows_of

FEW = 8  # keys whose rows are found by an index
AT_ONCE = 500  # values in one statement
TABLES = {"params": "params", "metrics": "latest_metrics", "tags": "tags"}
VALUES = {"params": "value", "metrics": "value, is_nan, step", "tags": "value"}
RUNS = "SELECT run_uuid, name, status, start_time, end_time FROM runs WHERE lifecycle_stage = 'active'"

# The digest of the dataset that each run noted as its input
DIGESTS = (
    "SELECT inputs.destination_id, max(datasets.digest) FROM inputs JOIN datasets "
    "ON datasets.dataset_uuid = inputs.source_id WHERE inputs.source_type = 'DATASET' "
    "AND inputs.destination_type = 'RUN' GROUP BY inputs.destination_id"
)


def keys_of(connection: Connection, kind: str) -> set[str]:
    """All keys of a table, found by its index: one step for each, however many rows it has."""
    table = TABLES[kind]
    found = rows_of(
        connection,
        f"WITH RECURSIVE found(k) AS (SELECT min({table}.key) FROM {table} UNION ALL SELECT (SELECT "
        f"min({table}.key) FROM {table} WHERE {table}.key > found.k) FROM found WHERE found.k IS NOT NULL) "
        "SELECT k FROM found WHERE k IS NOT NULL",
    )
    return {row[0] for row in found}


def rows_of_keys(connection: Connection, kind: str, keys: Collection[str]) -> Rows:
    """The rows of some keys. Past a few, the whole table is scanned: to look up each row takes longer."""
    names = sorted(keys)
    # An expression keeps a database from using the index.
    column = "key" if len(names) <= FEW else "key || ''"
    found: list[Any] = []
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        marks = ", ".join("?" * len(some))
        found += rows_of(
            connection,
            f"SELECT run_uuid, key, {VALUES[kind]} FROM {TABLES[kind]} WHERE {column} IN ({marks})",
            some,
        )
    return found


def rows_of_runs(connection: Connection, kind: str, run_ids: Sequence[str]) -> Rows:
    if not run_ids:
        return []
    marks = ", ".join("?" * len(run_ids))
    return rows_of(
        connection,
        f"SELECT run_uuid, key, {VALUES[kind]} FROM {TABLES[kind]} WHERE run_uuid IN ({marks})",
        run_ids,
    )
