"""The shape of the tables of runs and histories, which is the same whichever reader fills them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from core.tracking import schema

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
        column = f"params.{schema.FINGERPRINT}"
        logged = frame.get(column, pd.Series(index=frame.index, dtype=object))
        frame = frame.assign(**{column: logged.where(logged.notna(), frame["run_id"].map(digests))})
    for column in ("started", "ended"):
        frame[column] = pd.to_datetime(frame[column].astype("Float64"), unit="ms", utc=True)
    rest = sorted(column for column in frame.columns if column not in RUN_COLUMNS)
    return frame[[*RUN_COLUMNS, *rest]]


def table_of_histories(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table of metric values its column order and types; `time` is in ms since 1970."""
    frame["value"] = with_infinity(frame["value"].astype(float))
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
    return frame[HISTORY_COLUMNS]


def with_infinity(values: pd.Series) -> pd.Series:
    """Restore infinities: MLflow stores one as the largest number, and its client returns that."""
    largest = np.finfo(float).max
    return values.mask(values >= largest, np.inf).mask(values <= -largest, -np.inf)
