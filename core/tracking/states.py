"""Status and tags of runs: what watchers ask for many times a minute.

A store that is a database is asked by SQL, which takes a hundredth of the time and does not import MLflow.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sqlalchemy import bindparam, text

from core.tracking import schema
from core.tracking.connections import asking, connected, is_database

if TYPE_CHECKING:
    from mlflow.entities import Run

    from core.tracking.store import RunStore


class UnknownRun(ValueError):
    """No run of the store has this id."""


@dataclass(frozen=True)
class RunState:
    """What a watcher needs to know of a run."""

    run_id: str
    name: str
    status: str
    tags: dict[str, str]

    @property
    def cancel_requested(self) -> bool:
        return schema.CANCEL in self.tags

    @property
    def active(self) -> bool:
        return self.status in schema.ACTIVE

    @property
    def progress(self) -> dict[str, Any]:
        """The last thing the training said of itself, or an empty mapping."""
        return progress_of(self.tags.get(schema.PROGRESS))


class Child(NamedTuple):
    """A run of a group, and its state."""

    run_id: str
    status: str


PROGRESS_NUMBERS = ("at", "epoch", "epochs", "step", "steps", "images_per_second", "remaining_s")


def progress_of(tag: object) -> dict[str, Any]:
    """What a tag of a run says about its progress; an empty mapping for whatever the training did not write.

    Any client may set a tag: one that is not JSON, or has something else where a number belongs, is ignored.
    """
    try:
        said = json.loads(tag) if isinstance(tag, str) else None
    except ValueError:
        return {}
    if not isinstance(said, dict) or not isinstance(said.get("phase", ""), str):
        return {}
    numbers = [said[name] for name in PROGRESS_NUMBERS if name in said]
    finite = all(type(one) in (int, float) and 0 <= one < math.inf for one in numbers)
    return said if finite and said.get("steps", 1) > 0 else {}


def state(store: RunStore, run_id: str) -> RunState:
    """The state of one run. Raises UnknownRun."""
    if not is_database(store.uri):
        return _from_run(store.run(run_id))
    found = _by_sql(store.uri, "run_uuid IN :wanted", [run_id])
    if not found:
        raise UnknownRun(f"No run has the id '{run_id}'.")
    return found[0]


def active(store: RunStore) -> list[RunState]:
    """Runs that are SCHEDULED or RUNNING, in the order in which they were submitted; parents are none."""
    return [state for state in _active(store) if schema.GROUP not in state.tags]


def open_groups(store: RunStore) -> list[RunState]:
    """The parents of groups that have not ended, in the order in which they were submitted."""
    return [state for state in _active(store) if schema.GROUP in state.tags]


def live_elsewhere(store: RunStore) -> list[RunState]:
    """Runs of other programs that are SCHEDULED or RUNNING, in any experiment of the store."""
    if is_database(store.uri):
        found = _by_sql(store.uri, "lifecycle_stage = 'active' AND status IN :wanted", schema.ACTIVE)
    else:
        experiments = [one.experiment_id for one in store.client.search_experiments()]
        found = [
            _from_run(run)
            for status in schema.ACTIVE
            for run in store.client.search_runs(
                experiments, f"attributes.status = '{status}'", max_results=1000
            )
        ]
    return [state for state in found if schema.NUMBER not in state.tags and schema.GROUP not in state.tags]


def _active(store: RunStore) -> list[RunState]:
    if is_database(store.uri):
        ours = f"experiment_id IN (SELECT experiment_id FROM experiments WHERE name = '{schema.EXPERIMENT}')"
        condition = f"{ours} AND lifecycle_stage = 'active' AND status IN :wanted"
        return _by_sql(store.uri, condition, schema.ACTIVE)
    return _active_by_client(store)


def children(store: RunStore, parent: str) -> list[Child]:
    """The runs of a group, in the order in which they were submitted."""
    return children_of(store, [parent])[parent]


def children_of(store: RunStore, parents: Sequence[str]) -> dict[str, list[Child]]:
    """The runs of several groups by the group, each in the order in which they were submitted."""
    found: dict[str, list[Child]] = {parent: [] for parent in parents}
    if not is_database(store.uri):
        client = store.client
        for parent in found:
            with asking(store.uri):
                runs = client.search_runs(
                    [store.experiment_id], f"tags.`{schema.PARENT}` = '{parent}'", max_results=10_000
                )
            ordered = sorted(runs, key=lambda run: run.info.start_time)
            found[parent] = [Child(run.info.run_id, run.info.status) for run in ordered]
        return found
    query = text(
        "SELECT tags.value, runs.run_uuid, runs.status FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid "
        "WHERE tags.key = :key AND tags.value IN :parents AND runs.lifecycle_stage = 'active' "
        "ORDER BY runs.start_time, runs.run_uuid"
    ).bindparams(bindparam("parents", expanding=True))
    with connected(store.uri) as connection:
        for parent, run_id, status in connection.execute(
            query, {"key": schema.PARENT, "parents": list(found)}
        ):
            found[parent].append(Child(run_id, status))
    return found


def count_numbered(store: RunStore, number: str) -> int:
    """How many runs of the store have a number (`schema.NUMBER`)."""
    if not is_database(store.uri):
        client = store.client
        with asking(store.uri):
            return len(client.search_runs([store.experiment_id], f"tags.`{schema.NUMBER}` = '{number}'"))
    query = text("SELECT COUNT(*) FROM tags WHERE key = :key AND value = :number")
    with connected(store.uri) as connection:
        return connection.execute(query, {"key": schema.NUMBER, "number": number}).scalar() or 0


def next_moment(store: RunStore) -> int:
    """Milliseconds since 1970, and after the submission of all that waits: a clock may have been set back.

    A server's clients trust their clocks.
    """
    now = int(time.time() * 1000)
    if not is_database(store.uri):
        return now
    with connected(store.uri) as connection:
        query = text("SELECT MAX(start_time) FROM runs WHERE status = :waits AND lifecycle_stage = 'active'")
        latest = connection.execute(query, {"waits": schema.SCHEDULED}).scalar()
    return max(now, (latest or 0) + 1)


def local_artifacts(store: RunStore, run_id: str) -> Path | None:
    """The folder of a run's artifacts, where a database says that they lie on this machine."""
    if not is_database(store.uri):
        return None
    with connected(store.uri) as connection:
        query = text("SELECT artifact_uri FROM runs WHERE run_uuid = :run")
        uri = connection.execute(query, {"run": run_id}).scalar()
    return Path(url2pathname(urlsplit(uri).path)) if uri and uri.startswith("file:") else None


def _by_sql(uri: str, condition: str, wanted: Sequence[str]) -> list[RunState]:
    """States of the runs for which a condition with `:wanted` in it holds, first the oldest."""
    query = (
        "SELECT runs.run_uuid, runs.name, runs.status, tags.key, tags.value "
        "FROM runs LEFT JOIN tags ON tags.run_uuid = runs.run_uuid "
        f"WHERE runs.{condition} ORDER BY runs.start_time, runs.run_uuid"
    )
    found: dict[str, RunState] = {}
    with connected(uri) as connection:
        statement = text(query).bindparams(bindparam("wanted", expanding=True))
        for run_id, name, status, key, value in connection.execute(statement, {"wanted": list(wanted)}):
            state = found.setdefault(run_id, RunState(run_id, name, status, {}))
            if key is not None:
                state.tags[key] = value
    return list(found.values())


def _active_by_client(store: RunStore) -> list[RunState]:
    found: dict[str, Run] = {}
    for status in schema.ACTIVE:  # in this order a run that starts in between is seen twice, never missed
        client = store.client
        with asking(store.uri):
            runs = client.search_runs(
                [store.experiment_id], f"attributes.status = '{status}'", max_results=10_000
            )
        found |= {run.info.run_id: run for run in runs}
    return [_from_run(run) for run in sorted(found.values(), key=lambda run: run.info.start_time)]


def _from_run(run: Run) -> RunState:
    return RunState(run.info.run_id, run.info.run_name, run.info.status, dict(run.data.tags))
