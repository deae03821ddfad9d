"""A recipe's published figures beside what was measured, judged from what the runs have logged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from core.analysis.experiments import normal
from core.analysis.intervals import Interval, wilson
from core.analysis.values import not_a_fraction, percent, validation_accuracy
from core.recipes.recipe import HIGHER_IS_WORSE, LATER, NOT_MEASURED, YOURS, Published, Recipe, RecipeRun
from core.tracking import schema
from core.tracking.run import Run

INSIDE, OUTSIDE, EXACT, OTHER, NO_INTERVAL = "inside", "outside", "the same", "another", "no interval"
SHARES = {"test_accuracy": "test", "test_error": "test", "val_accuracy": "validation"}
WORDS = {
    "test_accuracy": "test accuracy",
    "test_error": "test error",
    "test_loss": "test loss",
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss, last epoch",
    "accuracy": "training accuracy, last epoch",
    "loss": "training loss, last epoch",
    "images_per_second": "images/s",
    "parameters": "parameters",
}
IN_PERCENT = (*SHARES, "accuracy")
# Settings that a recipe leaves open: they change no result that is compared, or are decided by the launch.
OPEN = ("name", "seed", "data.fold", "data.folds", "training.device", "training.devices")


class Figure(NamedTuple):
    """A published figure and what was measured for it.

    Attributes:
        run: The title of the recipe's run.
        measured: The mean over the newest finished run of each seed; None where none has finished.
        repeats: How many runs it is the mean of.
        interval: Of a share of right or wrong answers: where the true one lies with 95 % confidence.
        verdict: One of `INSIDE`, `OUTSIDE`, `NO_INTERVAL`; of whole numbers `EXACT`, `OTHER`; empty
            while nothing is measured.
    """

    run: str
    published: Published
    measured: float | None = None
    repeats: int = 0
    interval: Interval | None = None
    verdict: str = ""


class Order(NamedTuple):
    """A published order of two runs. holds: whether it was measured too; None while it cannot be told."""

    words: str
    metric: str
    better: float | None
    worse: float | None
    holds: bool | None


@dataclass(frozen=True)
class Result:
    """A recipe and its runs.

    Attributes:
        runs: By the title of the recipe's run, all that were launched for it, newest first.
        differs: Sentences: what in the set-up is not as it was published.
    """

    recipe: Recipe
    runs: Mapping[str, tuple[Run, ...]]
    figures: tuple[Figure, ...]
    orders: tuple[Order, ...]
    differs: tuple[str, ...]

    @property
    def run_ids(self) -> list[str]:
        """The ids of all its runs."""
        return [run.run_id for runs in self.runs.values() for run in runs]

    @property
    def finished(self) -> list[str]:
        """The ids of its runs that count, newest first of each."""
        return [run.run_id for runs in self.runs.values() for run in _counting(runs)]


def result(recipe: Recipe, runs: Iterable[Run]) -> Result:
    """Judge a recipe by the runs of a store.

    Args:
        runs: Newest first, with all their settings and metrics; those of other recipes are left out.
    """
    ours = [run for run in runs if run.tags.get(schema.RECIPE) == recipe.name and not run.is_range_test]
    found: dict[str, list[Run]] = {one.title: [] for one in recipe.runs}
    for run in ours:
        title = _title(recipe, run)
        if title is not None:
            found[title].append(run)
    by_title = {title: tuple(those) for title, those in found.items()}
    figures = [
        _figure(one, published, by_title[one.title]) for one in recipe.runs for published in one.published
    ]
    orders = [
        _order(claim.words, claim.metric, by_title[claim.better], by_title[claim.worse])
        for claim in recipe.claims
    ]
    return Result(recipe, by_title, tuple(figures), tuple(orders), tuple(_differs(recipe, by_title)))


def _title(recipe: Recipe, run: Run) -> str | None:
    """Return which run of the recipe a run is: by its tag, or without one by its settings."""
    titles = [one.title for one in recipe.runs]
    if (tagged := run.tags.get(schema.RECIPE_RUN)) is not None:
        return tagged if tagged in titles else None
    return next((one.title for one in recipe.runs if not changed(one, run)), None)


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


def _counting(runs: Sequence[Run]) -> list[Run]:
    """Return the newest finished run of each seed and fold."""
    found: dict[tuple[str, str], Run] = {}
    for run in runs:
        if run.status == schema.FINISHED:
            found.setdefault((run.params.get("seed", ""), run.params.get("data.fold", "")), run)
    return [*found.values()]


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


def _values(runs: Sequence[Run], metric: str, fold: int | None = None) -> list[tuple[Run, float]]:
    members = _counting(runs)
    if fold is not None:
        members = [run for run in members if run.whole_setting("data.fold", -1) == fold - 1]
    return [(run, value) for run in members if (value := measured(run, metric)) is not None]


def _figure(one: RecipeRun, published: Published, runs: Sequence[Run]) -> Figure:
    values = _values(runs, published.metric, published.fold)
    if not values:
        return Figure(one.title, published)
    mean = fmean(value for _, value in values)
    low, high = published.value, published.value if published.to is None else published.to
    if published.metric == "parameters":
        verdict = EXACT if mean == published.value else OTHER
        return Figure(one.title, published, mean, len(values), None, verdict)
    images = _images([run for run, _ in values], published.metric)
    if images is None:
        return Figure(one.title, published, mean, len(values), None, NO_INTERVAL)
    interval = wilson(min(1.0, max(0.0, mean)), images)
    inside = interval.low <= high and low <= interval.high
    return Figure(one.title, published, mean, len(values), interval, INSIDE if inside else OUTSIDE)


def _images(runs: Sequence[Run], metric: str) -> float | None:
    """Return how many images a share was measured on; None for what is no share, or where it is not known.

    Of several runs the fewest: they answered the same images, or as many others.
    """
    if metric not in SHARES:
        return None
    counts = [run.metrics.get(f"{SHARES[metric]}_images") for run in runs]
    known = [count for count in counts if count and count >= 1 and math.isfinite(count)]
    return min(known) if len(known) == len(runs) else None


def _order(words: str, metric: str, better: Sequence[Run], worse: Sequence[Run]) -> Order:
    first, second = ([value for _, value in _values(runs, metric)] for runs in (better, worse))
    if not first or not second:
        return Order(words, metric, fmean(first) if first else None, fmean(second) if second else None, None)
    ahead, behind = fmean(first), fmean(second)
    holds = ahead < behind if metric in HIGHER_IS_WORSE else ahead > behind
    return Order(words, metric, ahead, behind, holds)


def _differs(recipe: Recipe, runs: Mapping[str, tuple[Run, ...]]) -> list[str]:
    """Say what in the set-up is not as published: by the recipe, and by how it was launched."""
    found = list(recipe.differs)
    found += [f"{one.title}: {one.differs}" for one in recipe.runs if one.differs]
    otherwise: dict[str, list[str]] = {}
    datasets: set[str] = set()
    for one in recipe.runs:
        members = _counting(runs[one.title])
        datasets |= {run.dataset or "" for run in members}
        for name, (asked, logged) in (changed(one, members[0]) if members else {}).items():
            otherwise.setdefault(f"{name} was {logged} in place of {asked}", []).append(one.title)
    for words, titles in otherwise.items():
        where = "" if len(titles) == len(recipe.runs) else f" ({', '.join(titles)})"
        found.append(f"Launched with other settings: {words}{where}.")
    if recipe.data.supplied and datasets - {""}:
        found.append(f"The images are those of {', '.join(sorted(datasets - {''}))}, not the published ones.")
    return found


def figure_words(metric: str, value: float | None, to: float | None = None) -> str:
    """Write the value of a metric: shares in percent, losses with four digits, counts whole."""
    if value is None:
        return "–"
    if metric in IN_PERCENT:
        written = percent(value)
    elif metric in ("parameters", "images_per_second"):
        written = f"{value:,.0f}"
    else:
        written = f"{value:.4f}"
    return written if to is None else f"{written} to {figure_words(metric, to)}"


def interval_words(interval: Interval | None) -> str:
    """Write an interval in percent; a dash for none."""
    return f"{interval.low:.2%} to {interval.high:.2%}" if interval else "–"


def verdict_words(figure: Figure) -> str:
    """Say in words how a measured figure lies to the published one."""
    return {
        "": "not measured yet",
        INSIDE: "inside: the published figure lies in the interval",
        OUTSIDE: "outside: the published figure lies beyond the interval",
        NO_INTERVAL: "no interval: one training says nothing of how far another lies",
        EXACT: "exactly the same",
        OTHER: "not the same",
    }[figure.verdict]


def order_words(order: Order) -> str:
    """Say in words whether a published order was measured too."""
    if order.holds is None:
        return "Not measured yet."
    said = f"{figure_words(order.metric, order.better)} against {figure_words(order.metric, order.worse)}"
    return f"{'As published' if order.holds else 'Not as published'}: {said}, {WORDS[order.metric]}."


def asks_words(recipe: Recipe) -> str:
    """Say how many trainings a recipe makes and how long they take, as far as that was measured."""
    times = [
        f"{words} on {where}"
        for where, words in (("two cores", recipe.time.two_cores), ("a GPU", recipe.time.gpu))
        if words != NOT_MEASURED
    ]
    runs = f"{recipe.size} training{'' if recipe.size == 1 else 's'}"
    return f"{runs} · time: {', '.join(times) if times else NOT_MEASURED}"
