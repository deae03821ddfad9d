"""Marks the best rows of a table: the best validation accuracy on each set of images, and its equals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.basis import SPLIT_SETTINGS
from core.analysis.curves import half_width
from core.analysis.experiments import DEFAULTS
from core.analysis.intervals import wilson_limits
from core.analysis.values import fractions, validation_accuracies
from core.components.schedules import tests_rates
from core.tracking import schema
from core.tracking.tables import column

BEST = "★"
LIMIT = 1.959964  # standard errors that 19 of 20 estimates stay within
KEYS = (
    *("best_val_accuracy", "val_accuracy", "training.keep", "validation_images", "schedule.name"),
    *("data.name", schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION, *SPLIT_SETTINGS),
    *(schema.LEAK, schema.NUMBER),
)


def standings(runs: pd.DataFrame, codes: np.ndarray) -> pd.DataFrame:
    """Say which rows of a table cannot be told from the best on their images by their validation accuracies.

    Rows are compared where their dataset, its version and their validation images are the same, by the
    validation accuracy of the weights that their finished runs kept. Each has an interval: Wilson's for the
    number of images, for a group together with Student's for its runs. A row is told from the best where
    Newcombe's interval of their difference ("Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17, 1998, method 10) leaves out 0: as if of different images, which
    overstates it. Where the number of images was not logged, only the same accuracy is as good.

    Args:
        runs: All runs, with `KEYS`.
        codes: The number of each run's row.

    Returns:
        By the number of the row, the best first: `basis`, which names its images, its `score`, and whether it
        is `equal` to the best. Rows that are alone on their images are left out: nobody is the best of one.
    """
    scores = fractions(validation_accuracies(runs))
    bases = _bases(runs)
    fits = bases.notna() & scores.notna()
    table = pd.DataFrame(
        {
            "code": codes[fits.to_numpy()],
            "score": scores[fits].to_numpy(),
            "images": column(runs, "metrics.validation_images")[fits].to_numpy(),
            "basis": bases[fits].to_numpy(dtype=object),
        }
    )
    rows = _rows(table)
    rows = rows[rows["basis"].map(rows["basis"].value_counts()) > 1]
    rows = rows.sort_values("score", ascending=False, kind="stable")
    best = rows.groupby("basis")[["score", "low"]].transform("first")
    lead = best["score"] - rows["score"]
    reach = np.hypot(best["score"] - best["low"], rows["high"] - rows["score"])
    return rows.assign(equal=lead <= reach)[["basis", "score", "equal"]]


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """The score of each row with its limits."""
    groups = table.groupby("code")
    found = groups.agg(
        score=("score", "mean"),
        deviation=("score", "std"),
        count=("score", "size"),
        images=("images", "mean"),
    )
    if (found["count"] == 1).all():
        found["basis"] = groups["basis"].first()
    else:  # folds are validated on several sets of images
        sets = groups["basis"].agg(lambda those: tuple(sorted({*those})))
        found["basis"], found["images"] = sets.map("\n".join), found["images"] * sets.map(len)
    reach = found["deviation"] * found["count"].map({one: half_width(one) for one in found["count"].unique()})
    low, high = _wilson(found["score"], found["images"])
    found["low"] = found["score"] - np.hypot(found["score"] - low, reach.fillna(0.0))
    found["high"] = found["score"] + np.hypot(high - found["score"], reach.fillna(0.0))
    return found


def _wilson(share: pd.Series, images: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return Wilson's limits; the share itself where the number of images is not known."""
    share = share.clip(0.0, 1.0)
    low, high = wilson_limits(share, images, LIMIT)
    return low.fillna(share), high.fillna(share)


def _bases(runs: pd.DataFrame) -> pd.Series:
    """Names what each finished run was measured on; None for those that cannot be compared."""
    fits = (runs["status"] == schema.FINISHED) & column(runs, "params.data.name", object).notna()
    fits &= column(runs, f"tags.{schema.LEAK}", object).isna()
    schedules = column(runs, "params.schedule.name", object)
    fits &= ~schedules.isin([name for name in schedules.dropna().unique() if tests_rates(name)])
    split = _split(runs)
    fits &= column(runs, f"tags.{schema.NUMBER}", object).notna() | split.str.startswith("logged")
    names = (column(runs, f"params.{name}", object).fillna("") for name in ("data.name", schema.FINGERPRINT))
    return split.str.cat(list(names), sep="\n").where(fits)


def _split(runs: pd.DataFrame) -> pd.Series:
    """Names the validation images of each run by the most exact thing that it logged."""
    evaluation = column(runs, f"params.{schema.EVALUATION}", object)
    logged = column(runs, f"params.{schema.SPLIT}", object)
    known = evaluation.notna() & logged.notna()
    of_split = dict(zip(logged[known], evaluation[known], strict=True))  # of runs that logged both
    exact = evaluation.fillna(logged.map(of_split)).fillna(logged)
    settings = column(runs, f"params.{SPLIT_SETTINGS[0]}", object).fillna(DEFAULTS[SPLIT_SETTINGS[0]])
    for name in SPLIT_SETTINGS[1:]:
        settings = settings + " " + column(runs, f"params.{name}", object).fillna(DEFAULTS[name])
    return ("logged " + exact).fillna("by settings " + settings)
