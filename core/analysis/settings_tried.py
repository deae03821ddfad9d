"""Which settings the runs of a store tried, and what came of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from core.analysis.experiments import DEFAULTS, OPTIONS, default_of, normal
from core.analysis.values import fractions, validation_accuracies
from core.tracking import schema
from core.tracking.tables import column

# What says nothing of the model that is trained.
WITHOUT = ("name", "training.device", "training.images_on_device", "data.fold")
# What is read of each run.
KEYS = (
    *(name for name in DEFAULTS if name not in WITHOUT),
    OPTIONS,
    schema.FINGERPRINT,
    schema.EVALUATION,
    schema.SPLIT,
    schema.NUMBER,
    "best_val_accuracy",
    "val_accuracy",
)
SCORE = "validation accuracy"
ABSENT = "–"  # of a model without this option
LOG_FROM = 20  # a ratio of the largest to the smallest value, above which a scale is logarithmic
MAX_STEPS = 8  # of one axis of a heat map


@dataclass(frozen=True)
class Tried:
    """The finished runs that were validated on the same images.

    Attributes:
        settings: A row per run (index: its id), a column per setting that has several values; text.
        score: Validation accuracy of the weights that each kept, in the same order.
    """

    settings: pd.DataFrame
    score: pd.Series


def tried(runs: pd.DataFrame, like: Sequence[str]) -> Tried:
    """Collect the settings of all runs that can be compared with most of the runs `like`.

    Args:
        runs: As `frames.runs` gives them, with `KEYS` at least.
        like: Ids of runs.
    """
    score = fractions(validation_accuracies(runs))
    fingerprint = column(runs, f"params.{schema.FINGERPRINT}", object)
    split = column(runs, f"params.{schema.EVALUATION}", object).fillna(
        column(runs, f"params.{schema.SPLIT}", object)
    )
    images = (fingerprint + " " + split).where(column(runs, f"tags.{schema.NUMBER}", object).notna())
    wanted = images[runs["run_id"].isin(like)].mode()
    same = (images == wanted.iloc[0]) if len(wanted) else pd.Series(False, index=runs.index)
    chosen = runs[same & (runs["status"] == schema.FINISHED) & score.notna()]
    settings = pd.DataFrame({"run_id": chosen["run_id"]})
    for name in (one.removeprefix("params.") for one in chosen.columns if one.startswith("params.")):
        if name in WITHOUT or name in (schema.FINGERPRINT, schema.EVALUATION, schema.SPLIT):
            continue
        values = chosen[f"params.{name}"].astype(object)
        if name.startswith(OPTIONS) or name in DEFAULTS:
            values = values.fillna(default_of(name, chosen)).fillna("")
            spelled = values.map({value: normal(str(value)) or ABSENT for value in values.unique()})
            if spelled.nunique() > 1:
                settings[name] = spelled
    index = settings.pop("run_id")
    return Tried(settings.set_axis(index, axis="index"), score[chosen.index].set_axis(index))


def numbers(values: pd.Series) -> pd.Series | None:
    """Return the values of a setting as finite numbers; None where one of them is none."""
    found = pd.to_numeric(values, errors="coerce")
    return None if found.isna().any() or not found.map(math.isfinite).all() else found.astype(float)


def is_logarithmic(values: pd.Series) -> bool:
    """Whether numbers are spread over so many sizes that their logarithms are compared."""
    return bool(values.min() > 0 and values.max() / values.min() >= LOG_FROM)


def steps(values: pd.Series) -> pd.Series:
    """Return the values of a setting as ordered categories; of many numbers as ranges of equally many."""
    found = numbers(values)
    if found is None:
        return values.astype(pd.CategoricalDtype(sorted(values.unique()), ordered=True))
    if found.nunique() <= MAX_STEPS:
        order = [f"{one:.4g}" for one in sorted(found.unique())]
        return found.map(lambda one: f"{one:.4g}").astype(pd.CategoricalDtype(order, ordered=True))
    parts = pd.qcut(found, MAX_STEPS, duplicates="drop")
    ranges = found.groupby(parts, observed=True).agg(["min", "max"])
    names: Mapping = {part: f"{low:.3g} to {high:.3g}" for part, low, high in ranges.itertuples(name=None)}
    return parts.cat.rename_categories(names)
