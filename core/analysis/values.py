"""Single values of a run as its row of `core.tracking.frames.runs` has them, whoever logged them.

Any client may log what it likes under any name: a tag may be missing, a parameter may not be the number that
its name promises, an accuracy may be infinite or a percentage. Everything that reads such a value reads it by
one of these functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.tracking import schema

TOLERANCE = 1e-6  # accuracies are sums of float32


def text(run: Mapping[str, Any] | pd.Series, key: str) -> str | None:
    """A parameter or tag of a run; None when it has none."""
    value = run.get(key)
    return value if isinstance(value, str) and value else None


def number(run: Mapping[str, Any] | pd.Series, key: str, default: float = math.nan) -> float:
    """A metric or a numeric parameter or tag; `default` when there is none or it is not a number."""
    try:
        value = float(run.get(key, default))
    except (TypeError, ValueError):
        return default
    return default if math.isnan(value) else value


def kept_accuracy(keep: str | None) -> str:
    """The metric that holds the validation accuracy of the kept weights. keep: as `training.keep` has it."""
    return "val_accuracy" if keep == "last" else "best_val_accuracy"


def validation_accuracy(run: Mapping[str, Any] | pd.Series) -> float:
    """Return the validation accuracy of the weights that a run kept; NaN when it has none."""
    return number(run, f"metrics.{kept_accuracy(text(run, 'params.training.keep'))}")


def is_ours(run: Mapping[str, Any] | pd.Series) -> bool:
    """Whether ArchLab trained a run; others in the store were logged by another program."""
    return text(run, f"tags.{schema.NUMBER}") is not None


def not_a_fraction(what: str, value: float) -> str | None:
    """Return a sentence for an accuracy that is not in 0 to 1; None for one that is, and for NaN."""
    if math.isnan(value) or -TOLERANCE <= value <= 1 + TOLERANCE:
        return None
    hint = " It looks like a percentage." if 1 < value <= 100 else ""
    return f"Its {what} is {value:g}, not a fraction from 0 to 1.{hint}"


def percent(value: Any) -> str:
    """A fraction as a percentage with two decimals; a dash when there is none.

    What another program logged may be infinite or a percentage already: it is shown as what it is.
    """
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.2%}" if not_a_fraction("", value) is None else f"{value:g} (not a fraction)"


def is_final(metric: str, status: str) -> bool:
    """Whether the value of a metric counts: what an attempt that has not ended was tested at does not."""
    return status not in schema.ACTIVE or not metric.startswith("test_")
