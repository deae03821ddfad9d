"""Cached reads of runs, by column, that pages share: several fragments read the same every second."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas as pd
import streamlit as st

from core.analysis import comparable, expected
from core.analysis.comparable import Comparison
from core.analysis.epochs import from_zero, numbered_from_one
from core.figures import cost_scatter, system_use
from core.figures.style import LineStyle, foreign_style, run_style
from core.system.settings import Settings, get_settings
from core.tracking import frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.run_state import RunState, UnknownRun
from core.tracking.store import get_store
from core.tracking.tables import RUN_COLUMNS, column
from core.ui.common.kept import BY_HASH
from core.ui.common.read_rows import ReadRows

FEW = 500  # runs; of more, whole columns are read
QUEUE_KEYS = (
    *expected.KEYS,
    "training.device",
    "training.devices",
    schema.CANCEL,
    schema.DEVICE,
    schema.HELD,
    schema.HOME,
    schema.MEASURE,
    schema.NOT_TAKEN,
    schema.NUMBER,
    schema.PRIORITY,
    schema.PROGRESS,
    schema.STARTED,
    schema.UNMEASURED,
)


def runs() -> pd.DataFrame:
    """Return all runs (`core.tracking.frames.runs`), newest first, up to half a second old; of a server, 1 s.

    The frame shares its values with those of other visitors; pandas copies what a page changes.
    """
    return _runs(get_settings(), _version()).copy(deep=False)


def columns(*keys: str, archived: bool = False) -> pd.DataFrame:
    """Return all runs with some parameters, metrics and tags alone, as current as `runs` and read faster.

    keys, archived: as `core.tracking.frames.runs` takes them. The frame shares its values with those of other
    visitors.
    """
    return _columns(get_settings(), _version(), keys, archived).copy(deep=False)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_HASH)
def _columns(settings: Settings, version: Hashable, keys: tuple[str, ...], archived: bool) -> pd.DataFrame:
    return frames.runs(get_store(), keys, recent=True, archived=archived)


def rows(run_ids: Sequence[str]) -> pd.DataFrame:
    """Return all that some runs have logged, in the order of the ids, without those that are not there.

    That takes milliseconds for a page of runs; epochs count from 1 as in `runs`.
    """
    return _rows(get_settings(), _version()).of(run_ids)


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _rows(settings: Settings, version: Hashable) -> ReadRows:
    def read(run_ids: Sequence[str]) -> pd.DataFrame:
        return _with_epochs_from_one(settings, frames.of_runs(get_store(), run_ids))

    return ReadRows(read)


def some(run_ids: Sequence[str], *keys: str) -> pd.DataFrame:
    """Return runs by their ids, archived ones too, with at least some parameters, metrics and tags.

    keys: their full names.
    """
    if len(run_ids) <= FEW:
        found, wanted = rows(run_ids), {*keys}
        named = [name for name in found if name in RUN_COLUMNS or name.partition(".")[2] in wanted]
        return found[named]
    found = columns(*keys, archived=True)
    return found[found["run_id"].isin(run_ids)].reset_index(drop=True)


def of_ids(run_ids: Sequence[str], *keys: str) -> list[Run]:
    """Return runs as `some` does; of few, with all that they have logged."""
    if len(run_ids) <= FEW:
        return _rows(get_settings(), _version()).runs(run_ids)
    return runs_of(some(run_ids, *keys))


def keys() -> dict[str, list[str]]:
    """Return the names of the `params`, `metrics` and `tags` that runs have logged."""
    return _keys(get_settings(), _version())


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _keys(settings: Settings, version: Hashable) -> dict[str, list[str]]:
    return get_store().read.keys()


def version() -> Hashable:
    """Return what changes when the runs do, for caches of what is made of them."""
    return _version()


def _version() -> Hashable:
    return _version_of(get_settings())


@st.cache_resource(ttl=0.5, max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _version_of(settings: Settings) -> Hashable:
    """The state of the runs, asked twice a second: where several train, it changes more often."""
    return get_store().read.runs_version()


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _runs(settings: Settings, version: Hashable) -> pd.DataFrame:
    return _with_epochs_from_one(settings, frames.runs(get_store(), recent=True))


def _with_epochs_from_one(settings: Settings, found: pd.DataFrame) -> pd.DataFrame:
    """Count the last epoch of each run from 1: other programs may count from 0."""
    foreign = found.loc[~are_ours(found) & found["last_epoch"].notna(), "run_id"]
    moved = found["run_id"].isin(_from_zero(settings, tuple(foreign))) if len(foreign) else False
    return found.assign(last_epoch=found["last_epoch"] + moved)


@st.cache_data(ttl=60.0, max_entries=4, show_spinner=False, hash_funcs=BY_HASH)
def _from_zero(settings: Settings, run_ids: tuple[str, ...]) -> list[str]:
    """Which of some runs of other programs number their epochs from 0."""
    loss = frames.histories(get_store(), run_ids, ["loss"])
    steps = loss.groupby("run_id")["step"].nunique()
    undecided = [run_id for run_id in run_ids if steps.get(run_id, 0) < 2]  # most need no second read
    others = [name for name in schema.EPOCH_METRICS if name != "loss"]
    return from_zero(pd.concat([loss, frames.histories(get_store(), undecided, others)]))


def run(run_id: str) -> Run:
    """Return one of `runs()`. Raises UnknownRun for one that was deleted meanwhile."""
    if (found := find(run_id)) is None:
        raise UnknownRun(f"The run '{run_id}' does not exist any more: it was deleted.")
    return found


def find(run_id: str) -> Run | None:
    """Return one of `runs()`; None where it does not exist."""
    return next(iter(of_ids([run_id])), None)


def compared() -> tuple[pd.DataFrame, Comparison]:
    """Return the runs, and which of them compete (`core.analysis.comparable`), as current as `runs`.

    Of metrics and tags the runs have what decides that, and the costs. Both are read at one time: every run
    of the comparison is among the runs.
    """
    found, comparison = _compared(get_settings(), _version())
    return found.copy(deep=False), comparison


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _compared(settings: Settings, version: Hashable) -> tuple[pd.DataFrame, Comparison]:
    # Repeats are those that agree in all settings; of the rest only what decides is read.
    deciding = (name.partition(".")[2] for name in comparable.DECIDING if "." in name)
    wanted = dict.fromkeys((*get_store().read.keys()["params"], *deciding, *cost_scatter.KEYS))
    found = _with_epochs_from_one(settings, frames.runs(get_store(), tuple(wanted), recent=True))
    return found, comparable.compare(found)


def queue_runs() -> tuple[Run, ...]:
    """Return all runs, newest first, with what the queue shows of them (`QUEUE_KEYS`), as current as `runs`.

    They are read far faster than all that runs have logged.
    """
    return _queue_runs(get_settings(), _version())


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _queue_runs(settings: Settings, version: Hashable) -> tuple[Run, ...]:
    return tuple(runs_of(frames.runs(get_store(), QUEUE_KEYS, recent=True)))


def active() -> list[RunState]:
    """Return the queued and running runs, at most a second old."""
    return _active(get_settings())


@st.cache_data(ttl=1.0, max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _active(settings: Settings) -> list[RunState]:
    return get_store().active()


def live_elsewhere() -> list[RunState]:
    """Return the live runs of other programs in this store, at most two seconds old."""
    return _live_elsewhere(get_settings())


@st.cache_data(ttl=2.0, max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _live_elsewhere(settings: Settings) -> list[RunState]:
    return get_store().read.live_elsewhere()


def forget_runs() -> None:
    """Clear the cached runs after a change made by this process."""
    for read in (_version_of, _runs, _columns, _rows, _keys, _compared, _queue_runs, _active):
        read.clear()
    get_store().read.expect_changes()


def age() -> float:
    """Return how many seconds old what others changed on runs that have ended may be."""
    return get_store().read.age()


def history(run_ids: list[str]) -> pd.DataFrame:
    """Return the epoch metrics of some runs, at most a second old."""
    return _history(get_settings(), tuple(run_ids))


@st.cache_data(ttl=1.0, max_entries=16, show_spinner=False, hash_funcs=BY_HASH)
def _history(settings: Settings, run_ids: tuple[str, ...]) -> pd.DataFrame:
    return history_now(run_ids)


def history_now(run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the epoch metrics of some runs as they are, for what is kept until the runs change."""
    return numbered_from_one(frames.histories(get_store(), run_ids))


def system_history(run_id: str) -> pd.DataFrame:
    """Return the system metrics of a run, at most five seconds old."""
    return _system_history(get_settings(), run_id)


@st.cache_data(ttl=5.0, max_entries=4, show_spinner=False, hash_funcs=BY_HASH)
def _system_history(settings: Settings, run_id: str) -> pd.DataFrame:
    return frames.histories(get_store(), [run_id], tuple(system_use.LABELS))


def style_of(run: Run) -> LineStyle:
    """Return the colour and dash of a run."""
    if run.is_ours:
        return run_style(run.run_id, run.tags[schema.NUMBER])
    every = columns(schema.NUMBER)
    foreign = every.loc[~are_ours(every), "run_id"].tolist()[::-1]  # the oldest first, so that places stay
    if run.run_id not in foreign:
        return run_style(run.run_id)
    return foreign_style(foreign.index(run.run_id))


def are_ours(runs: pd.DataFrame) -> pd.Series:
    """Return which rows of `runs()` ArchLab trained (`Run.is_ours`)."""
    return column(runs, f"tags.{schema.NUMBER}", object).fillna("") != ""
