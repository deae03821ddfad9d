"""Reads a store by MLflow's client, as a tracking server requires."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.tracking import client_registry, schema
from core.tracking.client import StoreClient
from core.tracking.connections import asking
from core.tracking.lazy_pandas import pd
from core.tracking.registered import Registered
from core.tracking.run import KINDS
from core.tracking.run_state import Child, RunState, UnknownRun, highest_number
from core.tracking.server_runs import Row, ServerRuns
from core.tracking.tables import (
    HISTORY_COLUMNS,
    RUN_COLUMNS,
    finished_table,
    is_asked_for,
    table_of_histories,
    table_of_runs,
    with_infinity,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

PAGE = 1000  # runs per request
FEW = 100  # runs that one request names


class ClientReader:
    """A `RunReader` of any store that MLflow's client reaches."""

    quick = False

    def __init__(self, store: StoreClient):
        self.store = store
        self._kept = ServerRuns(self, row_of, PAGE)

    def state(self, run_id: str) -> RunState:
        return _state(self.store.run(run_id))

    def active(self) -> list[RunState]:
        return [run for run in self._active([self.store.experiment_id]) if not run.is_group]

    def open_groups(self) -> list[RunState]:
        return [run for run in self._active([self.store.experiment_id]) if run.is_group]

    def live_elsewhere(self) -> list[RunState]:
        found = self._active(self._experiments())
        return [run for run in found if not run.is_ours and not run.is_group]

    def children(self, *parents: str) -> dict[str, list[Child]]:
        found: dict[str, list[Child]] = {}
        for parent in parents:
            condition = f"tags.`{schema.PARENT}` = '{parent}'"
            runs = _oldest_first(self._search([self.store.experiment_id], condition))
            found[parent] = [Child(run.info.run_id, run.info.status) for run in runs]
        return found

    def run_ids(self) -> list[str]:
        return [run.info.run_id for run in _oldest_first(self._search(self._experiments()))]

    def runs(self, keys: Sequence[str] | None = None, recent: bool = False) -> pd.DataFrame:
        rows = self._kept.rows() if recent else [row_of(run) for page in self.every(PAGE) for run in page]
        return _table(rows, keys)

    def of_runs(self, run_ids: Sequence[str]) -> pd.DataFrame:
        found: list[Run] = []
        wanted, experiments = list(dict.fromkeys(run_ids)), self._experiments()
        for start in range(0, len(wanted), FEW):
            listed = ", ".join(f"'{run_id}'" for run_id in wanted[start : start + FEW])
            found += self._search(experiments, f"attributes.run_id IN ({listed})")
        return _table([row_of(run) for run in found])

    def keys(self) -> dict[str, list[str]]:
        columns = {name for row in self._kept.rows() for name in row.values}
        return {
            kind: sorted(one.removeprefix(f"{kind}.") for one in columns if one.startswith(f"{kind}."))
            for kind in KINDS
        }

    def runs_version(self) -> Hashable:
        return self._kept.version()

    def expect_changes(self) -> None:
        self._kept.expect_changes()

    def changed(self, run_id: str) -> None:
        self._kept.changed(run_id)

    def age(self) -> float:
        return self._kept.age()

    # How `ServerRuns` asks

    def every(self, page: int) -> Iterator[list[Run]]:
        return self._pages(self._experiments(), page=page)

    def alive(self) -> list[Run]:
        experiments = self._experiments()
        return [run for status in schema.ACTIVE for run in self._search(experiments, _is(status))]

    def one(self, run_id: str) -> Run | None:
        try:
            run = self.store.run(run_id)
        except UnknownRun:
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def histories(
        self, run_ids: Sequence[str], metrics: Sequence[str], after: int | None = None
    ) -> pd.DataFrame:
        client = self.store.client
        with asking(self.store.uri):
            rows = [
                (run_id, name, point.step, point.value, point.timestamp)
                for run_id in dict.fromkeys(run_ids)
                for name in dict.fromkeys(metrics)
                for point in client.get_metric_history(run_id, name)
                if after is None or point.step > after
            ]
        return table_of_histories(pd.DataFrame(rows, columns=HISTORY_COLUMNS))

    def last_metrics(self, run_ids: Sequence[str], metrics: Sequence[str]) -> list[dict[str, float]]:
        return [self._last_metrics(run_id, metrics) for run_id in run_ids]

    def _last_metrics(self, run_id: str, metrics: Sequence[str]) -> dict[str, float]:
        try:
            found = self.store.run(run_id).data.metrics
        except UnknownRun:
            return {}
        wanted = [name for name in metrics if name in found]
        values = with_infinity(pd.Series([found[name] for name in wanted], dtype=float))
        return dict(zip(wanted, values, strict=True))

    def last_step(self, run_id: str, metric: str = "loss") -> int:
        return int(max(self.histories([run_id], [metric])["step"], default=0))

    def last_number(self) -> int:
        return highest_number(run.data.tags.get(schema.NUMBER) for run in self._numbered())

    def count_numbered(self, number: str) -> int:
        return len(self._numbered(f" = '{number}'"))

    def next_moment(self) -> int:
        return int(time.time() * 1000)

    def local_artifacts(self, run_id: str) -> Path | None:
        return None

    def newest_model(self, run_id: str) -> tuple[str, str] | None:
        with asking(self.store.uri):
            found = self.store.client.search_logged_models(
                self._experiments(), filter_string=f"source_run_id = '{run_id}'"
            )
        models = sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))
        return (models[-1].model_id, models[-1].artifact_location) if models else None

    def registered(self) -> list[Registered]:
        return client_registry.registered(self.store)

    def _numbered(self, condition: str = " LIKE '%'") -> list[Run]:
        """The runs whose number meets a condition, deleted ones included."""
        return list(self._search(self._experiments(), f"tags.`{schema.NUMBER}`{condition}", deleted=True))

    def _active(self, experiments: Sequence[str]) -> list[RunState]:
        found: dict[str, Run] = {}
        for status in schema.ACTIVE:  # in this order a run that starts in between is seen twice, never missed
            runs = self._search(experiments, _is(status))
            found |= {run.info.run_id: run for run in runs}
        return [_state(run) for run in _oldest_first(found.values())]

    def _experiments(self) -> list[str]:
        client = self.store.client
        with asking(self.store.uri):
            return [one.experiment_id for one in client.search_experiments()]

    def _search(
        self, experiments: Sequence[str], condition: str = "", *, deleted: bool = False
    ) -> Iterator[Run]:
        """The runs of some experiments for which a condition holds, the newest first."""
        for page in self._pages(experiments, condition, deleted=deleted):
            yield from page

    def _pages(
        self, experiments: Sequence[str], condition: str = "", *, deleted: bool = False, page: int = PAGE
    ) -> Iterator[list[Run]]:
        client = self.store.client  # first: it imports MLflow, one thread at a time
        from mlflow.entities import ViewType

        view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
        token = None
        while True:
            with asking(self.store.uri):
                found = client.search_runs(
                    list(experiments), condition, run_view_type=view, max_results=page, page_token=token
                )
            yield found
            token = found.token
            if not token:
                return


def _oldest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.info.start_time or 0, run.info.run_id))


def _state(run: Run) -> RunState:
    return RunState(run.info.run_id, run.info.run_name or "", run.info.status, dict(run.data.tags))


def row_of(run: Run) -> Row:
    """Turn a run of MLflow into a row of a table of runs. NaN is always one object, so that rows compare."""
    info, data = run.info, run.data
    last = next((one.step for one in data._metric_objs if one.key == "loss"), None)
    values = {
        "run_id": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "started": info.start_time,
        "ended": info.end_time,
        "last_epoch": math.nan if last is None else float(last),
    }
    values |= {f"params.{key}": value for key, value in data.params.items()}
    values |= {
        f"metrics.{key}": math.nan if math.isnan(value) else value for key, value in data.metrics.items()
    }
    values |= {f"tags.{key}": value for key, value in data.tags.items()}
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    return Row(values, max((one.dataset.digest for one in inputs), default=None))


def _table(rows: Sequence[Row], keys: Sequence[str] | None = None) -> pd.DataFrame:
    """The frame of some runs. keys: as in `frames.runs`."""
    found = [
        row.values
        if keys is None
        else {name: value for name, value in row.values.items() if is_asked_for(name, keys)}
        for row in rows
    ]
    frame = pd.DataFrame(found, columns=None if found else RUN_COLUMNS)
    for column in frame.columns[frame.columns.str.startswith("metrics.")]:
        frame[column] = with_infinity(frame[column].astype(float))
    noted = keys is None or schema.FINGERPRINT in keys
    digests = {row.values["run_id"]: row.digest for row in rows if noted and row.digest is not None}
    return finished_table(table_of_runs(frame, digests), keys)


def _is(status: str) -> str:
    return f"attributes.status = '{status}'"
