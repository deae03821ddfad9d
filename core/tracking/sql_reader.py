"""Reads a store that is a database from MLflow's own tables.

That takes a hundredth of the time of MLflow's client, and does not import MLflow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, column, func, select, table

from core.tracking import schema, sql_registry
from core.tracking.changes import Rows
from core.tracking.column_queries import rows_of_runs
from core.tracking.connections import connected
from core.tracking.lazy_pandas import pd
from core.tracking.places import local_path
from core.tracking.read_model import KINDS, LOSS, read_model
from core.tracking.registered import Registered
from core.tracking.run_state import Child, RunState, UnknownRun, highest_number
from core.tracking.tables import (
    RUN_COLUMNS,
    finished_table,
    table_of_histories,
    table_of_runs,
    with_infinity,
)


def _table(name: str, *columns: str) -> Any:
    return table(name, *(column(one) for one in columns))


EXPERIMENTS = _table("experiments", "experiment_id", "name").c
RUNS = _table(
    "runs",
    *("run_uuid", "name", "status", "start_time", "end_time", "lifecycle_stage", "experiment_id"),
    "artifact_uri",
).c
PARAMS = _table("params", "run_uuid", "key", "value").c
TAGS = _table("tags", "run_uuid", "key", "value").c
LATEST = _table("latest_metrics", "run_uuid", "key", "value", "is_nan", "step").c
METRICS = _table("metrics", "run_uuid", "key", "value", "is_nan", "step", "timestamp").c
INPUTS = _table("inputs", "source_type", "source_id", "destination_type", "destination_id").c
MODELS = _table(
    "logged_models",
    *("model_id", "artifact_location", "creation_timestamp_ms", "lifecycle_stage", "source_run_id"),
).c
DATASETS = _table("datasets", "dataset_uuid", "digest").c

ALIVE = RUNS.lifecycle_stage == "active"
OURS = RUNS.experiment_id.in_(select(EXPERIMENTS.experiment_id).where(EXPERIMENTS.name == schema.EXPERIMENT))
OLDEST_FIRST = (RUNS.start_time, RUNS.run_uuid)
MANY = 500  # runs that one query names
_RUN = select(RUNS.run_uuid, RUNS.name, RUNS.status, RUNS.start_time, RUNS.end_time).where(ALIVE)
_DIGESTS = (
    select(INPUTS.destination_id, func.max(DATASETS.digest))
    .where(
        DATASETS.dataset_uuid == INPUTS.source_id,
        INPUTS.source_type == "DATASET",
        INPUTS.destination_type == "RUN",
    )
    .group_by(INPUTS.destination_id)
)


class SqlReader:
    """A `RunReader` of an SQLite or PostgreSQL database."""

    quick = True

    def __init__(self, uri: str):
        self.uri = uri

    def state(self, run_id: str) -> RunState:
        found = self._states(RUNS.run_uuid == run_id)
        if not found:
            raise UnknownRun(f"No run has the id '{run_id}'.")
        return found[0]

    def active(self) -> list[RunState]:
        return [run for run in self._active() if not run.is_group]

    def open_groups(self) -> list[RunState]:
        return [run for run in self._active() if run.is_group]

    def live_elsewhere(self) -> list[RunState]:
        found = self._states(ALIVE, RUNS.status.in_(schema.ACTIVE))
        return [run for run in found if not run.is_ours and not run.is_group]

    def children(self, *parents: str) -> dict[str, list[Child]]:
        found: dict[str, list[Child]] = {parent: [] for parent in parents}
        query = (
            select(TAGS.value, RUNS.run_uuid, RUNS.status)
            .where(TAGS.run_uuid == RUNS.run_uuid, TAGS.key == schema.PARENT, TAGS.value.in_(list(found)))
            .where(OURS, ALIVE)
            .order_by(*OLDEST_FIRST)
        )
        for parent, run_id, status in self._rows(query):
            found[parent].append(Child(run_id, status))
        return found

    def run_ids(self) -> list[str]:
        query = select(RUNS.run_uuid).where(ALIVE).order_by(*OLDEST_FIRST)
        return [run_id for (run_id,) in self._rows(query)]

    def runs(self, keys: Sequence[str] | None = None, recent: bool = False) -> pd.DataFrame:
        return read_model(self.uri).runs(keys, recent)[0]

    def of_runs(self, run_ids: Sequence[str]) -> pd.DataFrame:
        wanted = list(dict.fromkeys(run_ids))
        rows: dict[str, tuple[Any, ...]] = {}
        logged: list[tuple[str, Rows]] = []
        digests: dict[str, str] = {}
        with connected(self.uri) as connection:
            for start in range(0, len(wanted), MANY):
                some = wanted[start : start + MANY]
                for run_id, *values in connection.execute(_RUN.where(RUNS.run_uuid.in_(some))):
                    rows[run_id] = tuple(values)
                logged += ((kind, rows_of_runs(connection, kind, some)) for kind in KINDS)
                digests |= {
                    run_id: digest
                    for run_id, digest in connection.execute(_DIGESTS.where(INPUTS.destination_id.in_(some)))
                }
        return finished_table(table_of_runs(_wide(rows, logged), digests), None)

    def keys(self) -> dict[str, list[str]]:
        return read_model(self.uri).keys()

    def runs_version(self) -> Hashable:
        return read_model(self.uri).version()

    def expect_changes(self) -> None:
        read_model(self.uri).expect_new_tags()

    def changed(self, run_id: str) -> None:
        """Nothing to note: every look finds what was written."""

    def age(self) -> float:
        return 0.0

    def histories(
        self, run_ids: Sequence[str], metrics: Sequence[str], after: int | None = None
    ) -> pd.DataFrame:
        query = select(
            METRICS.run_uuid.label("run_id"),
            METRICS.key.label("metric"),
            METRICS.step,
            METRICS.value,
            METRICS.timestamp.label("time"),
            METRICS.is_nan,
        ).where(METRICS.run_uuid.in_(list(run_ids)), METRICS.key.in_(list(metrics)))
        if after is not None:
            query = query.where(METRICS.step > after)
        with connected(self.uri) as connection:
            frame = pd.read_sql(query, connection)
        frame["value"] = _with_nan(frame)
        return table_of_histories(frame)

    def last_metrics(self, run_ids: Sequence[str], metrics: Sequence[str]) -> list[dict[str, float]]:
        query = select(LATEST.run_uuid, LATEST.key, LATEST.value, LATEST.is_nan).where(
            LATEST.run_uuid.in_(list(run_ids)), LATEST.key.in_(list(metrics))
        )
        with connected(self.uri) as connection:
            frame = pd.read_sql(query, connection)
        values: dict[str, dict[str, float]] = {run_id: {} for run_id in run_ids}
        for run_id, name, value in zip(
            frame["run_uuid"], frame["key"], with_infinity(_with_nan(frame)), strict=True
        ):
            values[run_id][name] = value
        return [values[run_id] for run_id in run_ids]

    def last_step(self, run_id: str, metric: str = "loss") -> int:
        query = select(func.max(METRICS.step)).where(METRICS.run_uuid == run_id, METRICS.key == metric)
        return self._value(query) or 0

    def last_number(self) -> int:
        return highest_number(value for (value,) in self._rows(_numbers()))

    def count_numbered(self, number: str) -> int:
        return len(self._rows(_numbers().where(TAGS.value == number)))

    def next_moment(self) -> int:
        waiting = select(func.max(RUNS.start_time)).where(RUNS.status == schema.SCHEDULED, ALIVE)
        return max(int(time.time() * 1000), (self._value(waiting) or 0) + 1)

    def local_artifacts(self, run_id: str) -> Path | None:
        uri = self._value(select(RUNS.artifact_uri).where(RUNS.run_uuid == run_id))
        return local_path(uri) if uri else None

    def newest_model(self, run_id: str) -> tuple[str, str] | None:
        query = (
            select(MODELS.model_id, MODELS.artifact_location)
            .where(MODELS.source_run_id == run_id, MODELS.lifecycle_stage == "active")
            .order_by(MODELS.creation_timestamp_ms.desc(), MODELS.model_id.desc())
            .limit(1)
        )
        return next(((model_id, place) for model_id, place in self._rows(query)), None)

    def registered(self) -> list[Registered]:
        return sql_registry.registered(self.uri)

    def _active(self) -> list[RunState]:
        return self._states(OURS, ALIVE, RUNS.status.in_(schema.ACTIVE))

    def _states(self, *conditions: ColumnElement[bool]) -> list[RunState]:
        """States of the runs for which the conditions hold."""
        tagged = RUNS.run_uuid.table.outerjoin(TAGS.run_uuid.table, TAGS.run_uuid == RUNS.run_uuid)
        query = (
            select(RUNS.run_uuid, RUNS.name, RUNS.status, TAGS.key, TAGS.value)
            .select_from(tagged)
            .where(*conditions)
            .order_by(*OLDEST_FIRST)
        )
        found: dict[tuple[str, str, str], dict[str, str]] = {}
        for run_id, name, status, key, value in self._rows(query):
            tags = found.setdefault((run_id, name or "", status), {})
            if key is not None:
                tags[key] = value
        return [RunState(*run, tags) for run, tags in found.items()]

    def _rows(self, query: Select) -> list[Any]:
        with connected(self.uri) as connection:
            return list(connection.execute(query))

    def _value(self, query: Select) -> Any:
        with connected(self.uri) as connection:
            return connection.scalar(query)


def _wide(rows: Mapping[str, Sequence[Any]], logged: Sequence[tuple[str, Rows]]) -> pd.DataFrame:
    """Make the table of some runs from what they have logged, as `table_of_runs` takes it.

    Args:
        rows: Name, status, start and end by run id.
        logged: Kinds and their rows, as `rows_of_runs` gives them; others may have been deleted meanwhile.
    """
    places = {run_id: place for place, run_id in enumerate(rows)}
    if not rows:
        return pd.DataFrame(columns=RUN_COLUMNS)
    frame: dict[str, Any] = {"run_id": [*rows]}
    for at, name in enumerate(RUN_COLUMNS[1:-1]):
        frame[name] = [row[at] for row in rows.values()]
    epochs = [math.nan] * len(rows)
    found: dict[str, list[Any]] = {}
    for kind, those in logged:
        empty = math.nan if kind == "metrics" else None
        for run_id, key, value, *rest in those:
            place = places.get(run_id)
            if place is None:
                continue
            label = f"{kind}.{key}"
            if label not in found:
                found[label] = [empty] * len(rows)
            if not rest:
                found[label][place] = value
                continue
            is_nan, step = rest
            found[label][place] = math.nan if is_nan else value
            if key == LOSS:
                epochs[place] = float(step)
    series = {
        label: with_infinity(pd.Series(values, dtype=float))
        if label.startswith("metrics.")
        else pd.Series(values, dtype="str")
        for label, values in found.items()
    }
    return pd.DataFrame({**frame, RUN_COLUMNS[-1]: epochs, **series})


def _numbers() -> Select:
    return select(TAGS.value).where(TAGS.key == schema.NUMBER)


def _with_nan(frame: pd.DataFrame) -> pd.Series:
    """The values of metrics; in the tables NaN is 0 beside a flag."""
    return frame["value"].astype(float).mask(frame["is_nan"].astype(bool))
