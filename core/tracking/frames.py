"""Runs and histories as DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore
from core.tracking.tables import HISTORY_COLUMNS, RUN_COLUMNS


def runs(store: RunStore, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Every run of the store that was not deleted, newest first; parents of groups are none.

    Columns: run_id, name, status, started and ended (UTC), last_epoch (the step of the last `loss`), then
    `params.*`, `metrics.*` (their last values, float) and `tags.*`. A value a run does not have is NaN.

    keys: the parameters, metrics and tags that are wanted, which takes a fifth of the time where they are
    few; one that ends with a dot stands for all that begin so. None: all there are.
    """
    frame = store.read.runs(keys)
    if keys is not None:
        frame = frame[[column for column in frame if _is_wanted(column, [*keys, schema.GROUP])]]
    parents = frame.get(f"tags.{schema.GROUP}", pd.Series(index=frame.index, dtype=object)).notna()
    frame = frame[~parents].drop(columns=f"tags.{schema.GROUP}", errors="ignore")
    return frame.sort_values(["started", "run_id"], ascending=False, ignore_index=True)


def run_ids(store: RunStore) -> list[str]:
    """Ids of all runs and groups that were not deleted, in the order in which they were submitted."""
    return store.read.run_ids()


def histories(
    store: RunStore,
    run_ids: Sequence[str],
    metrics: Iterable[str] = schema.EPOCH_METRICS,
    after: int | None = None,
) -> pd.DataFrame:
    """All logged values of some metrics of some runs: run_id, metric, step, value, time (UTC), in order.

    after: only steps after this one.
    """
    names = list(metrics)
    if not run_ids or not names:
        return pd.DataFrame(columns=HISTORY_COLUMNS)
    frame = store.read.histories(run_ids, names, after)
    return frame.sort_values(["run_id", "metric", "step", "time"], ignore_index=True)


def predictions(store: RunStore, run_id: str) -> pd.DataFrame:
    """The test probabilities of a finished run.

    Raises FileNotFoundError when it has none, DamagedArtifact when they cannot be read.
    """
    path = store.artifact(run_id, schema.PREDICTIONS)
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError, EOFError) as error:  # pyarrow's are these as well
        raise DamagedArtifact(run_id, schema.PREDICTIONS, error) from error
    if missing := {"index", "label"} - {*found.columns}:
        raise DamagedArtifact(run_id, schema.PREDICTIONS, f"it has no column '{min(missing)}'")
    return found


def _is_wanted(column: str, keys: Sequence[str]) -> bool:
    key = column.partition(".")[2]
    return column in RUN_COLUMNS or any(
        key == one or (one[-1] == "." and key.startswith(one)) for one in keys
    )
