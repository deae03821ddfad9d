"""Which runs count for a run of a recipe, and what they have for a published metric."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.analysis.experiments import normal
from core.analysis.values import not_a_fraction, validation_accuracy
from core.recipes.recipe import RecipeRun
from core.recipes.recipe_file import LATER, YOURS
from core.tracking import schema
from core.tracking.run import Run

SHARES = {"test_accuracy": "test", "test_error": "test", "val_accuracy": "validation"}
IN_PERCENT = (*SHARES, "accuracy")
# Settings that a recipe leaves open: they change no result that is compared, or are decided by the launch.
OPEN = ("name", "seed", "data.fold", "data.folds", "training.device", "training.devices")


def changed(asked: RecipeRun, run: Run) -> dict[str, tuple[str, str]]:
    """Return the settings of a recipe's run that a launched one has otherwise: asked, and logged."""
    found = {}
    for name, value in asked.config.flat().items():
        logged = run.params.get(name)
        if name in OPEN or logged is None or (name == "data.preprocessing" and value == "auto"):
            continue
        if value in (YOURS, LATER):
            continue
        if name == "model.weights" and asked.weights_of:
            continue
        if normal(str(value)) != normal(logged):
            found[name] = (str(value), logged)
    return found


def counting(asked: RecipeRun, runs: Sequence[Run]) -> list[Run]:
    """Return the newest finished run of each seed and fold, of one set-up: the newest that is as asked.

    Where none is as asked, the set-up is that of the newest. A mean over other settings or other images would
    be of nothing.

    Args:
        runs: Newest first.
    """
    _, alike = _set_ups(asked, runs)
    found: dict[tuple[str, str], Run] = {}
    for run in alike:
        found.setdefault((run.params.get("seed", ""), run.params.get("data.fold", "")), run)
    return [*found.values()]


def left_out(asked: RecipeRun, runs: Sequence[Run]) -> int:
    """Return how many finished runs do not count, since their settings or images are others."""
    finished, alike = _set_ups(asked, runs)
    return len(finished) - len(alike)


def images(run: Run) -> tuple[str, str]:
    """Return which images a run was trained on: the name of the dataset, and its fingerprint."""
    return run.dataset or "", run.params.get(schema.FINGERPRINT, "")


def _set_ups(asked: RecipeRun, runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return the finished runs, and those of them that have the settings and images which count."""
    finished = [run for run in runs if run.status == schema.FINISHED]
    if not finished:
        return [], []
    set_ups = [(changed(asked, run), images(run)) for run in finished]
    chosen = next((one for one in set_ups if not one[0]), set_ups[0])
    return finished, [run for run, one in zip(finished, set_ups, strict=True) if one == chosen]


def measured(run: Run, metric: str) -> float | None:
    """Return what a run has for a published metric; None where it has none, or none that is one."""
    if metric == "test_error":
        accuracy = measured(run, "test_accuracy")
        return None if accuracy is None else 1 - accuracy
    value = validation_accuracy(run) if metric == "val_accuracy" else run.metrics.get(metric)
    if value is None or not math.isfinite(value):
        return None
    if metric in IN_PERCENT and not_a_fraction("", value) is not None:
        return None
    return value


def values(
    asked: RecipeRun, runs: Sequence[Run], metric: str, fold: int | None = None
) -> list[tuple[Run, float]]:
    """Return the runs that count and have a metric, with its value. fold: from 1; None: all."""
    members = counting(asked, runs)
    if fold is not None:
        members = [run for run in members if run.whole_setting("data.fold", -1) == fold - 1]
    return [(run, value) for run in members if (value := measured(run, metric)) is not None]


def images_of(runs: Sequence[Run], metric: str) -> float | None:
    """Return how many images a share was measured on; None for what is no share, or where it is not known.

    Of several runs the fewest: they answered the same images, or as many others.
    """
    if metric not in SHARES:
        return None
    counts = [run.metrics.get(f"{SHARES[metric]}_images") for run in runs]
    known = [count for count in counts if count and count >= 1 and math.isfinite(count)]
    return min(known) if len(known) == len(runs) else None
