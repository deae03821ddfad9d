"""Marks the best runs of a table: the best validation accuracy on each set of images, and its equals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.basis import SPLIT_SETTINGS
from core.analysis.experiments import DEFAULTS
from core.analysis.values import fractions, validation_accuracies
from core.components.schedules import tests_rates
from core.tracking import schema
from core.tracking.tables import column

BEST, EQUAL = "★", "☆"
LIMIT = 1.96  # standard errors of a difference that 19 of 20 differences of equal models stay within
KEYS = (
    *("best_val_accuracy", "val_accuracy", "training.keep", "validation_images", "schedule.name"),
    *("data.name", schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION, *SPLIT_SETTINGS),
    *(schema.LEAK, schema.NUMBER),
)


def marks(runs: pd.DataFrame) -> pd.Series:
    """Mark the finished runs that are the best on their images, and those that may be as good.

    Runs are compared where their dataset, its version and its validation images are the same, by the
    validation accuracy of the weights that they kept. One is as good as the best where the number of
    validation images does not tell the two accuracies apart (two proportions, as if of different images,
    which overstates their error).

    Args:
        runs: All runs, with `KEYS`.

    Returns:
        `BEST`, `EQUAL` or an empty text for each row.
    """
    found = pd.Series("", index=runs.index, dtype=object)
    scores = fractions(validation_accuracies(runs))
    fits = (
        (runs["status"] == schema.FINISHED)
        & scores.notna()
        & column(runs, "params.data.name", object).notna()
    )
    fits &= column(runs, f"tags.{schema.LEAK}", object).isna()
    schedules = column(runs, "params.schedule.name", object)
    fits &= ~schedules.isin([name for name in schedules.dropna().unique() if tests_rates(name)])
    split = _split(runs)
    fits &= column(runs, f"tags.{schema.NUMBER}", object).notna() | split.str.startswith("logged")
    if not fits.any():
        return found
    names = (column(runs, f"params.{name}", object).fillna("") for name in ("data.name", schema.FINGERPRINT))
    bases = split.str.cat(list(names), sep="\n")[fits]
    of_best = scores[fits].groupby(bases)
    best = of_best.transform("max")
    images = column(runs, "metrics.validation_images")[fits]
    pooled = (scores[fits] + best) / 2
    error = np.sqrt(2 * (pooled * (1 - pooled)).clip(lower=0) / images)
    alike = (best - scores[fits]) <= LIMIT * error.fillna(0.0)
    several = of_best.transform("size") > 1  # nobody is the best of one
    is_best = scores[fits] == best
    found[fits] = np.where(several & is_best, BEST, np.where(several & alike, EQUAL, ""))
    return found


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
