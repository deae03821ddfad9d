"""Which metric is a run's accuracy, and whether it is one: other programs log percentages and infinities."""

from __future__ import annotations

import math

import pandas as pd

from core.tracking import schema
from core.tracking.run import Run
from core.tracking.tables import column

TOLERANCE = 1e-6  # accuracies are sums of float32


def kept_accuracy(keep: str | None) -> str:
    """The metric that holds the validation accuracy of the kept weights. keep: as `training.keep` has it."""
    return "val_accuracy" if keep == "last" else "best_val_accuracy"


def validation_accuracy(run: Run) -> float | None:
    """Return the validation accuracy of the weights that a run kept."""
    return run.metrics.get(kept_accuracy(run.params.get("training.keep")))


def validation_accuracies(runs: pd.DataFrame) -> pd.Series:
    """Return `validation_accuracy` of every row of `frames.runs`; NaN where a run has none."""
    best, last = (column(runs, f"metrics.{kept_accuracy(keep)}") for keep in ("best", "last"))
    return best.mask(column(runs, "params.training.keep", object) == "last", last)


def fractions(values: pd.Series) -> pd.Series:
    """Return the values that are in 0 to 1, NaN in place of the others."""
    return values.where(values.between(-TOLERANCE, 1 + TOLERANCE))


def not_a_fraction(what: str, value: float | None) -> str | None:
    """Return a sentence for an accuracy that is not in 0 to 1; None for one that is, and for none."""
    if value is None or math.isnan(value) or -TOLERANCE <= value <= 1 + TOLERANCE:
        return None
    hint = " It looks like a percentage." if 1 < value <= 100 else ""
    return f"Its {what} is {value:g}, not a fraction from 0 to 1.{hint}"


def percent(value: float | None) -> str:
    """Write a fraction as a percentage with two decimals; a dash for None and NaN.

    What another program logged may be infinite or a percentage already: it is shown as it is.
    """
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.2%}" if not_a_fraction("", value) is None else f"{value:g} (not a fraction)"


def is_final(metric: str, status: str) -> bool:
    """Whether the value of a metric counts: test metrics count only once a run has ended."""
    return status not in schema.ACTIVE or not metric.startswith("test_")
