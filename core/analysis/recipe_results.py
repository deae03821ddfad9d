"""A recipe's published figures beside what was measured, judged from what the runs have logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from core.analysis.intervals import Interval, wilson
from core.analysis.recipe_runs import (
    IN_PERCENT,
    SHARES,
    changed,
    counting,
    images,
    images_of,
    left_out,
    values,
)
from core.analysis.values import percent
from core.recipes.recipe import Recipe, RecipeRun
from core.recipes.recipe_file import HIGHER_IS_WORSE, NOT_MEASURED, Claim, Published
from core.tracking import schema
from core.tracking.run import Run

INSIDE, OUTSIDE, EXACT, OTHER, NO_INTERVAL = "inside", "outside", "the same", "another", "no interval"
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


ORDER = {True: "As published", False: "Not as published"}


class Figure(NamedTuple):
    """A published figure and what was measured for it.

    Attributes:
        run: The title of the recipe's run.
        measured: The mean over the runs that count (`core.analysis.recipe_runs.counting`); None where none
            has finished.
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
    """A published order of two runs. holds: whether it was measured too; None where that cannot be told.

    why: it cannot be told; empty while nothing is measured.
    """

    words: str
    metric: str
    better: float | None
    worse: float | None
    holds: bool | None
    why: str = ""


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
        return [run.run_id for one in self.recipe.runs for run in counting(one, self.runs[one.title])]


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
    asked = {one.title: one for one in recipe.runs}
    orders = [
        _order(
            claim,
            *(values(asked[title], by_title[title], claim.metric) for title in (claim.better, claim.worse)),
        )
        for claim in recipe.claims
    ]
    return Result(recipe, by_title, tuple(figures), tuple(orders), tuple(_differs(recipe, by_title)))


def _title(recipe: Recipe, run: Run) -> str | None:
    """Return which run of the recipe a run is: by its tag, or without one by its settings."""
    titles = [one.title for one in recipe.runs]
    if (tagged := run.tags.get(schema.RECIPE_RUN)) is not None:
        return tagged if tagged in titles else None
    return next((one.title for one in recipe.runs if not changed(one, run)), None)


def _figure(one: RecipeRun, published: Published, runs: Sequence[Run]) -> Figure:
    found = values(one, runs, published.metric, published.fold)
    if not found:
        return Figure(one.title, published)
    mean = fmean(value for _, value in found)
    if published.metric == "parameters":
        verdict = EXACT if mean == published.value else OTHER
        return Figure(one.title, published, mean, len(found), None, verdict)
    interval = _interval(found, published.metric)
    if interval is None:
        return Figure(one.title, published, mean, len(found), None, NO_INTERVAL)
    low, high = _span(published)
    inside = interval.low <= high and low <= interval.high
    return Figure(one.title, published, mean, len(found), interval, INSIDE if inside else OUTSIDE)


def _span(published: Published) -> tuple[float, float]:
    """Return between which values a published figure lies: by its digits, and by the images it is of."""
    first, last = published.value, published.value if published.to is None else published.to
    low, high = first - published.half_unit, last + published.half_unit
    if published.images is not None and published.metric in SHARES:
        low = min(low, wilson(min(1.0, max(0.0, first)), published.images).low)
        high = max(high, wilson(min(1.0, max(0.0, last)), published.images).high)
    return low, high


def _interval(found: Sequence[tuple[Run, float]], metric: str) -> Interval | None:
    """Return the interval of a mean share; None for what is no share, or on how many images is unknown."""
    many = images_of([run for run, _ in found], metric)
    return None if many is None else wilson(min(1.0, max(0.0, fmean(value for _, value in found))), many)


def _order(claim: Claim, better: Sequence[tuple[Run, float]], worse: Sequence[tuple[Run, float]]) -> Order:
    """Compare two runs of a recipe. better, worse: what counts of each, with the value of the metric."""
    ahead, behind = (fmean(value for _, value in those) if those else None for those in (better, worse))
    if ahead is None or behind is None:
        return Order(claim.words, claim.metric, ahead, behind, None)
    if {images(run) for run, _ in better} != {images(run) for run, _ in worse}:
        return Order(claim.words, claim.metric, ahead, behind, None, "no comparison, on different images")
    if min(len(better), len(worse)) < 2:
        first, second = _interval(better, claim.metric), _interval(worse, claim.metric)
        if first is None or second is None or (first.low <= second.high and second.low <= first.high):
            return Order(claim.words, claim.metric, ahead, behind, None, "no comparison, a single training")
    holds = ahead < behind if claim.metric in HIGHER_IS_WORSE else ahead > behind
    return Order(claim.words, claim.metric, ahead, behind, holds)


def _differs(recipe: Recipe, runs: Mapping[str, tuple[Run, ...]]) -> list[str]:
    """Say what in the set-up is not as published: by the recipe, and by how it was launched."""
    found = list(recipe.differs)
    found += [f"{one.title}: {one.differs}" for one in recipe.runs if one.differs]
    otherwise: dict[str, list[str]] = {}
    datasets: set[str] = set()
    for one in recipe.runs:
        members = counting(one, runs[one.title])
        datasets |= {run.dataset or "" for run in members}
        for name, (asked, logged) in (changed(one, members[0]) if members else {}).items():
            otherwise.setdefault(f"{name} was {logged} in place of {asked}", []).append(one.title)
        if others := left_out(one, runs[one.title]):
            many = "1 finished run" if others == 1 else f"{others} finished runs"
            found.append(
                f"{one.title}: {many} with other settings or images "
                f"{'does' if others == 1 else 'do'} not count."
            )
    for words, titles in otherwise.items():
        where = "" if len(titles) == len(recipe.runs) else f" ({', '.join(titles)})"
        found.append(f"Launched with other settings: {words}{where}.")
    if recipe.data.supplied and datasets - {""}:
        names = ", ".join(sorted(datasets - {""}))
        found.append(f"The images are those of {names}; whether they are the published ones is not known.")
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
    above = figure.measured is not None and figure.measured > figure.published.value
    of = f" of {figure.published.images:,} images" if figure.published.images else ""
    meets = ", or its own one meets it" if of else ""
    return {
        "": "not measured yet",
        INSIDE: f"inside: the published figure{of} lies in the interval{meets}",
        OUTSIDE: f"{'above' if above else 'below'}: the published figure{of} lies beyond the interval",
        NO_INTERVAL: "no interval: one training says nothing of how far another lies",
        EXACT: "exactly the same",
        OTHER: "not the same",
    }[figure.verdict]


def order_words(order: Order) -> str:
    """Say in words whether a published order was measured too."""
    if order.better is None or order.worse is None:
        return "Not measured yet."
    said = f"{figure_words(order.metric, order.better)} against {figure_words(order.metric, order.worse)}"
    found = order.why.capitalize() if order.holds is None else ORDER[order.holds]
    return f"{found}: {said}, {WORDS[order.metric]}."


def asks_words(recipe: Recipe) -> str:
    """Say how many trainings a recipe makes and how long they take, as far as that was measured."""
    times = [
        f"{words} on {where}"
        for where, words in (("two cores", recipe.time.two_cores), ("a GPU", recipe.time.gpu))
        if words != NOT_MEASURED
    ]
    runs = f"{recipe.size} training{'' if recipe.size == 1 else 's'}"
    return f"{runs} · time: {', '.join(times) if times else NOT_MEASURED}"
