"""Experiments repeated over seeds and folds: means and standard deviations over the repeats."""

from __future__ import annotations

import pandas as pd

from core.analysis.experiments import experiment_name
from core.analysis.values import validation_accuracies
from core.tracking import schema
from core.tracking.tables import column

PARENT, NUMBER = f"tags.{schema.PARENT}", f"tags.{schema.NUMBER}"
KEYS = (  # of `frames.runs`, without which settings that differ would be taken for repeats
    *(schema.PARENT, schema.NUMBER, schema.SWEEP, "training.keep"),
    *("best_val_accuracy", "val_accuracy", "test_accuracy"),
)
SCORES = ("val_accuracy", "test_accuracy")  # the first of the weights that each run kept
COLUMNS = [
    "group",
    "name",
    "runs",
    "finished",
    *(f"{score}{end}" for score in SCORES for end in ("", "_std")),
]


def repeats(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarize each group of repeated runs.

    Args:
        runs: All runs, as `frames.runs` gives them, with `KEYS` or all of their columns.

    Returns:
        One row per group, newest first: group (id of its parent), name, runs, finished, and of each of
        `SCORES` the mean and `<score>_std`, the sample standard deviation, over the runs that finished; NaN
        where too few have.
    """
    if not {PARENT, NUMBER} <= set(runs.columns):
        return pd.DataFrame(columns=COLUMNS)
    swept = column(runs, f"tags.{schema.SWEEP}", object).notna()  # these share a parent, but no settings
    ours = runs[runs[PARENT].notna() & runs[NUMBER].notna() & ~swept]
    finished = ours["status"] == schema.FINISHED
    groups = ours.assign(
        finished=finished,
        val_accuracy=validation_accuracies(ours).where(finished),
        test_accuracy=column(ours, "metrics.test_accuracy").where(finished),
    ).groupby(PARENT, sort=False)
    found = groups.agg(name=("name", "last"), runs=("name", "size"), finished=("finished", "sum"))
    found["name"] = [experiment_name(name) for name in found["name"]]
    for score in SCORES:
        found[score], found[f"{score}_std"] = groups[score].mean(), groups[score].std()
    return found.rename_axis("group").reset_index()[COLUMNS]
