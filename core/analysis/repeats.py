"""What repeating an experiment over seeds and folds came to: means, and how far its runs lie apart."""

from __future__ import annotations

import pandas as pd

from core.analysis.comparable import experiment_name
from core.analysis.values import validation_accuracy
from core.tracking import schema

PARENT = f"tags.{schema.PARENT}"
SCORES = ("val_accuracy", "test_accuracy")  # the first of the weights that each run kept


def repeats(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a group, newest first: group (id of its parent), name, runs, finished, and of each of `SCORES`
    the mean and `<score>_std`, the sample standard deviation, of the runs that finished.

    runs: as `frames.runs` gives them. NaN where too few have finished.
    """
    rows = []
    if PARENT in runs:
        ours = runs[runs[PARENT].notna() & runs[f"tags.{schema.NUMBER}"].notna()]
        for parent, children in ours.groupby(PARENT, sort=False):
            finished = children[children["status"] == schema.FINISHED]
            row = {
                "group": parent,
                "name": experiment_name(str(children["name"].iloc[-1])),
                "runs": len(children),
                "finished": len(finished),
            }
            for score in SCORES:
                values = _scores(finished, score)
                row |= {score: values.mean(), f"{score}_std": values.std()}
            rows.append(row)
    scores = [f"{score}{end}" for score in SCORES for end in ("", "_std")]
    return pd.DataFrame(rows, columns=["group", "name", "runs", "finished", *scores])


def _scores(runs: pd.DataFrame, score: str) -> pd.Series:
    if score == "val_accuracy":
        return pd.Series([validation_accuracy(run) for _, run in runs.iterrows()], dtype=float)
    return runs.get(f"metrics.{score}", pd.Series(dtype=float))
