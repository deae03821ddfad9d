"""Epochs of runs that other programs logged: Keras callbacks number them from 0, and ours from 1."""

from __future__ import annotations

import pandas as pd


def numbered_from_one(history: pd.DataFrame) -> pd.DataFrame:
    """Return a history in which every run's first epoch is at least 1.

    history: as `frames.histories` gives it, of metrics that are logged once an epoch. All metrics of a run
    move together.
    """
    moved = history["run_id"].isin(from_zero(history))
    return history.assign(step=history["step"].mask(moved, history["step"] + 1))


def from_zero(history: pd.DataFrame) -> list[str]:
    """Return the ids of the runs that number their epochs from 0.

    Decided by the loss, else by other metrics with several steps: a metric with one step is often a final
    value, which MLflow logs at step 0. A run in which no metric has several steps has one epoch, and every
    metric counts.
    """
    if history.empty:
        return []
    steps = history.groupby(["run_id", "metric"])["step"].agg(["min", "nunique"]).reset_index()
    rank = (steps["nunique"] > 1) * 2 + (steps["metric"] == "loss")
    best = rank.groupby(steps["run_id"]).transform("max")
    first = steps[rank == best].groupby("run_id")["min"].min()
    return first.index[first == 0].tolist()
