"""Columns and types of the tables of runs and histories, the same for every reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.tracking import schema
from core.tracking.lazy_pandas import pd

RUN_COLUMNS = ["run_id", "name", "status", "started", "ended", "last_epoch"]
HISTORY_COLUMNS = ["run_id", "metric", "step", "value", "time"]


def table_of_runs(frame: pd.DataFrame, digests: Mapping[str, str]) -> pd.DataFrame:
    """Give a table of runs its column order and types.

    Args:
        frame: one row per run; `started` and `ended` in ms since 1970.
        digests: digest of the dataset input by run id. Runs of older versions noted the fingerprint of their
            dataset there, not as a parameter.
    """
    if digests:
        fingerprint = f"params.{schema.FINGERPRINT}"
        logged = column(frame, fingerprint, object)
        noted = logged.where(logged.notna(), frame["run_id"].map(digests))
        frame = frame.assign(**{fingerprint: noted.astype("str")})
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name].astype("Float64"), unit="ms", utc=True)
    rest = sorted(name for name in frame.columns if name not in RUN_COLUMNS)
    return frame[[*RUN_COLUMNS, *rest]]


def column(runs: pd.DataFrame, name: str, dtype: type = float) -> pd.Series:
    """Return a column of a table of runs; where no run has it, one without values."""
    return runs[name].astype(dtype) if name in runs else pd.Series(index=runs.index, dtype=dtype)


def finished_table(frame: pd.DataFrame, keys: Sequence[str] | None) -> pd.DataFrame:
    """Leave the parents of groups and what was not asked for out of a table of runs; newest first.

    Args:
        frame: As `table_of_runs` returns it, with the tag that marks groups.
        keys: As in `frames.runs`.
    """
    if keys is not None:
        frame = frame[[name for name in frame if is_asked_for(name, keys)]]
    parents = column(frame, f"tags.{schema.GROUP}", object).notna()
    frame = frame[~parents].drop(columns=f"tags.{schema.GROUP}", errors="ignore")
    return frame.sort_values(["started", "run_id"], ascending=False, ignore_index=True)


def is_asked_for(name: str, keys: Sequence[str]) -> bool:
    """Whether a column is one of every table, marks groups, or is named by `keys`, as in `frames.runs`."""
    key = name.partition(".")[2]
    return name in RUN_COLUMNS or any(
        key == one or (one[-1:] == "." and key.startswith(one)) for one in (*keys, schema.GROUP)
    )


def table_of_histories(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table of metric values its column order and types; `time` is in ms since 1970."""
    frame["value"] = with_infinity(frame["value"].astype(float))
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
    return frame[HISTORY_COLUMNS]


def with_infinity(values: pd.Series) -> pd.Series:
    """Restore infinities: MLflow stores one as the largest number, and its client returns that."""
    largest = np.finfo(float).max
    numbers = values.to_numpy()
    infinite = np.abs(numbers) >= largest
    if not infinite.any():
        return values
    return pd.Series(
        np.where(infinite, np.copysign(np.inf, numbers), numbers), values.index, name=values.name
    )
