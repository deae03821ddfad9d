"""Runs and histories as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore
from core.tracking.tables import HISTORY_COLUMNS, RUN_COLUMNS


def runs(
    store: RunStore, keys: Sequence[str] | None = None, recent: bool = False, *, archived: bool = False
) -> pd.DataFrame:
    """Read every run of the store that was not deleted, newest first, without the parents of groups.

    Args:
        keys: The parameters, metrics and tags that are wanted, which takes a fifth of the time where they are
            few; a key that ends in a dot is a prefix. None: all.
        recent: Whether tags of runs that have ended may be two seconds old, which is enough to show them.
        archived: Whether archived runs are among them; they have the tag `schema.ARCHIVED`.

    Returns:
        One row per run: run_id, name, status, started and ended (UTC), last_epoch (the step of the last
        `loss`), then `params.*` (text), `metrics.*` (their last values, float) and `tags.*` (text). A value
        that a run lacks is NaN. `core.tracking.run.runs_of` turns rows into `Run`s.
    """
    found = store.read.runs(None if keys is None else [*keys, schema.ARCHIVED], recent)
    tag = f"tags.{schema.ARCHIVED}"
    if archived or tag not in found:
        return found
    return found[found[tag].isna()].drop(columns=tag).reset_index(drop=True)


def of_runs(store: RunStore, run_ids: Sequence[str]) -> pd.DataFrame:
    """Read all that some runs have logged, archived ones too, newest first, in the columns of `runs`.

    Unknown ids are left out. That takes milliseconds for a page of runs, however many the store has.
    """
    if not run_ids:
        return pd.DataFrame(columns=RUN_COLUMNS)
    return store.read.of_runs(run_ids)


def run_ids(store: RunStore) -> list[str]:
    """Return the ids of all runs and groups that were not deleted, in the order of submission."""
    return store.read.run_ids()


def histories(
    store: RunStore,
    run_ids: Sequence[str],
    metrics: Iterable[str] = schema.EPOCH_METRICS,
    after: int | None = None,
) -> pd.DataFrame:
    """Read all logged values of some metrics of some runs.

    Args:
        after: Only steps after this one.

    Returns:
        Sorted rows of run_id, metric, step, value and time (UTC).
    """
    names = list(metrics)
    if not run_ids or not names:
        return pd.DataFrame(columns=HISTORY_COLUMNS)
    frame = store.read.histories(run_ids, names, after)
    return frame.sort_values(["run_id", "metric", "step", "time"], ignore_index=True)


def predictions(store: RunStore, run_id: str, name: str = schema.PREDICTIONS) -> pd.DataFrame:
    """Read the predictions of a finished run: index, label and a probability per class.

    Args:
        name: Of the artifact: `schema.PREDICTIONS` of the test set, or `schema.VALIDATION_PREDICTIONS`.

    Raises:
        FileNotFoundError: When it has none.
        DamagedArtifact: When they cannot be read.
    """
    path = store.artifact(run_id, name)
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError, EOFError) as error:  # pyarrow's are these as well
        raise DamagedArtifact(run_id, name, error) from error
    if missing := {"index", "label"} - {*found.columns}:
        raise DamagedArtifact(run_id, name, f"it has no column '{min(missing)}'")
    return found
