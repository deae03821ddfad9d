"""Epochs of runs that other programs logged: Keras callbacks number them from 0, and ours from 1."""

from __future__ import annotations

import pandas as pd


def numbered_from_one(history: pd.DataFrame) -> pd.DataFrame:
    """Return a history in which every run's first epoch is at least 1.

    history: as `frames.histories` gives it, of metrics that are logged once an epoch. All metrics of a run
    move together.
    """
    if history.empty:
        return history
    first = history.groupby("run_id")["step"].transform("min")
    return history.assign(step=history["step"].mask(first == 0, history["step"] + 1))
