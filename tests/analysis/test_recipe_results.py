"""What was published beside what was measured: which runs count, and when a figure lies inside."""

from __future__ import annotations

import pytest

from core.analysis.intervals import wilson
from core.analysis.recipe_results import (
    EXACT,
    INSIDE,
    NO_INTERVAL,
    OTHER,
    OUTSIDE,
    asks_words,
    figure_words,
    order_words,
    result,
    verdict_words,
)
from core.recipes import Recipe, get
from core.recipes.recipe import of_text
from core.tracking import schema
from core.tracking.run import Run

STUDY = """
title: Study
description: Two models.
data: {words: any, supplied: true, classes: 2}
differs: [The rate was not published.]
base: {training.epochs: 3}
runs:
  - title: first
    differs: Grey.
    published:
      - {metric: test_accuracy, value: 0.900, where: here}
      - {metric: test_error, value: 0.100, where: here}
      - {metric: test_accuracy, value: 0.5, to: 0.8, decimals: 3, where: here}
      - {metric: test_loss, value: 0.3, where: here}
      - {metric: parameters, value: 44426, where: here}
  - title: second
    settings: {model.name: conv3}
    folds: 2
    published: [{metric: val_accuracy, value: 0.7, fold: 2, where: here}]
claims: [{metric: test_error, better: first, worse: second, words: First is better.}]
"""


@pytest.fixture
def study() -> Recipe:
    return of_text("study", STUDY)


def logged(recipe: Recipe, place: int, run_id: str, status: str = schema.FINISHED, **metrics: float) -> Run:
    """A run as a launch of the recipe's run logs it, on a dataset named mine."""
    one = recipe.runs[place]
    params = {name: str(value) for name, value in one.config.flat().items()} | {"data.name": "mine"}
    tags = {schema.RECIPE: recipe.name, schema.RECIPE_RUN: one.title, schema.NUMBER: "1"}
    return Run(run_id, one.title, status, tags, params=params, metrics=metrics)


def test_nothing_is_judged_before_a_run_has_finished(study: Recipe) -> None:
    running = logged(study, 0, "a", schema.RUNNING, test_accuracy=0.9, test_images=100)
    found = result(study, [running])
    assert {one.measured for one in found.figures} == {None}
    assert {one.verdict for one in found.figures} == {""}
    assert found.run_ids == ["a"]
    assert found.finished == []
    assert order_words(found.orders[0]) == "Not measured yet."


def test_a_share_is_inside_where_its_wilson_interval_has_the_published_one(study: Recipe) -> None:
    metrics = {"test_accuracy": 0.85, "test_images": 100.0, "test_loss": 0.4, "parameters": 44426.0}
    found = result(study, [logged(study, 0, "a", **metrics)])
    accuracy, error, span, loss, parameters, _ = found.figures
    assert accuracy.interval == wilson(0.85, 100)  # 0.767 to 0.907
    assert (accuracy.measured, accuracy.verdict) == (0.85, INSIDE)
    assert (error.measured, error.verdict) == (pytest.approx(0.15), INSIDE)
    assert span.verdict == INSIDE  # its upper end, 0.8, lies in the interval
    assert (loss.verdict, loss.interval) == (NO_INTERVAL, None)
    assert parameters.verdict == EXACT
    more = result(
        study, [logged(study, 0, "a", **metrics | {"test_images": 10_000.0, "parameters": 44427.0})]
    )
    assert [one.verdict for one in more.figures[:5]] == [OUTSIDE, OUTSIDE, OUTSIDE, NO_INTERVAL, OTHER]


def test_the_newest_finished_run_of_each_seed_counts(study: Recipe) -> None:
    def seeded(run_id: str, seed: str, accuracy: float, status: str = schema.FINISHED) -> Run:
        run = logged(study, 0, run_id, status, test_accuracy=accuracy, test_images=100)
        return Run(
            run.run_id, run.name, status, run.tags, params={**run.params, "seed": seed}, metrics=run.metrics
        )

    runs = [
        seeded("d", "0", 0.1, schema.FAILED),
        seeded("c", "0", 0.8),
        seeded("b", "1", 0.9),
        seeded("a", "0", 0.2),
    ]
    figure = result(study, runs).figures[0]
    assert (figure.measured, figure.repeats) == (pytest.approx(0.85), 2)


def test_a_fold_has_a_figure_of_its_own(study: Recipe) -> None:
    run = logged(study, 1, "a", best_val_accuracy=0.72, validation_images=50, test_accuracy=0.6)
    second = Run(
        "a", "x", schema.FINISHED, run.tags, params={**run.params, "data.fold": "1"}, metrics=run.metrics
    )
    assert result(study, [run]).figures[-1].measured is None
    assert result(study, [second]).figures[-1].measured == 0.72
    metrics = {**run.metrics, "test_images": 1000.0}
    second = Run("a", "x", schema.FINISHED, run.tags, params=second.params, metrics=metrics)
    first = logged(study, 0, "b", test_accuracy=0.7, test_images=1000)
    (order,) = result(study, [first, second]).orders
    assert order.holds
    assert order_words(order) == "As published: 30.00% against 40.00%, test error."
    worse = logged(study, 0, "b", test_accuracy=0.5, test_images=1000)
    assert order_words(result(study, [worse, second]).orders[0]).startswith("Not as published: 50.00%")


def test_what_differs_is_said_in_words(study: Recipe) -> None:
    run = logged(study, 0, "a", test_accuracy=0.7)
    shorter = Run("a", "x", schema.FINISHED, run.tags, params={**run.params, "training.epochs": "1"})
    assert result(study, [shorter]).differs == (
        "The rate was not published.",
        "first: Grey.",
        "Launched with other settings: training.epochs was 1 in place of 3 (first).",
        "The images are those of mine; whether they are the published ones is not known.",
    )
    assert result(study, []).differs == ("The rate was not published.", "first: Grey.")


def test_runs_of_earlier_versions_are_told_by_their_settings() -> None:
    quickstart = get("quickstart")

    def old(place: int) -> Run:
        params = {name: str(value) for name, value in quickstart.runs[place].config.flat().items()}
        return Run(f"{place}", "x", schema.FINISHED, {schema.RECIPE: "quickstart"}, params=params)

    other = Run("x", "x", schema.FINISHED, {schema.RECIPE: "other"}, params=old(0).params)
    found = result(quickstart, [old(2), other, old(0)])
    assert {title: [run.run_id for run in runs] for title, runs in found.runs.items()} == {
        "lenet5": ["0"],
        "conv3": [],
        "resnet_cifar 8": ["2"],
    }


def test_percentages_of_other_programs_are_no_figures(study: Recipe) -> None:
    figure = result(study, [logged(study, 0, "a", test_accuracy=85.0, test_images=100)]).figures[0]
    assert figure.measured is None


def test_words_of_figures() -> None:
    assert figure_words("test_accuracy", 0.71, 0.73) == "71.00% to 73.00%"
    assert figure_words("test_loss", 0.0557) == "0.0557"
    assert figure_words("parameters", 28096769) == "28,096,769"
    assert asks_words(get("quickstart")) == "3 trainings · time: about a minute on two cores"
    assert asks_words(get("lenet5-mnist")) == "1 training · time: not measured"


def varied(run: Run, run_id: str, **params: str) -> Run:
    """The same run with other settings; a double underscore stands for a point."""
    changes = {name.replace("__", "."): value for name, value in params.items()}
    return Run(run_id, run.name, run.status, run.tags, params={**run.params, **changes}, metrics=run.metrics)


def test_a_mean_is_of_runs_with_the_same_settings_and_images(study: Recipe) -> None:
    whole = logged(study, 0, "whole", test_accuracy=0.98, test_images=100)
    short = varied(
        logged(study, 0, "x", test_accuracy=0.5, test_images=100), "s", training__epochs="1", seed="1"
    )
    other = varied(logged(study, 0, "x", test_accuracy=0.3, test_images=100), "o", data__name="b", seed="2")
    found = result(study, [short, whole, other])  # the newest is not as asked
    assert (found.figures[0].measured, found.figures[0].repeats) == (0.98, 1)
    assert found.finished == ["whole"]
    assert "first: 2 finished runs with other settings or images do not count." in found.differs
    assert not [one for one in found.differs if one.startswith("Launched with other settings")]
    shorter = varied(short, "t", seed="0")
    alone = result(study, [shorter, short, other])  # none of those on the first images is as asked
    assert alone.finished == ["o"]
    assert result(study, [shorter, short]).figures[0].repeats == 2


def digits(figure: str, metric: str = "test_accuracy") -> Recipe:
    return of_text(
        "digits",
        "title: D\ndescription: D.\nruns:\n"
        f"  - {{title: a, published: [{{metric: {metric}, {figure}, where: x}}]}}",
    )


@pytest.mark.parametrize(
    ("figure", "share", "images", "verdict"),
    [
        ("value: 0.99", 0.9925, 10_000, INSIDE),  # 0.985 to 0.995
        ("value: 0.990", 0.9925, 10_000, OUTSIDE),  # three digits were written
        ("value: 0.99, decimals: 3", 0.9925, 10_000, OUTSIDE),
        ("value: 0.99", 0.98, 10_000, OUTSIDE),
        ("value: 0.50", 0.53, 10_000, OUTSIDE),  # a zero is a digit
        ("value: 0.71, to: 0.73", 0.738, 1_000_000, OUTSIDE),
        ("value: 0.71, to: 0.73", 0.734, 1_000_000, INSIDE),
        ("value: 0.830, images: 100", 0.77, 4000, INSIDE),  # 0.74 to 0.89
        ("value: 0.830, images: 100", 0.70, 4000, OUTSIDE),
        ("value: 0.830", 0.77, 4000, OUTSIDE),
    ],
)
def test_a_published_figure_has_its_digits_and_its_images(
    figure: str, share: float, images: int, verdict: str
) -> None:
    recipe = digits(figure)
    (found,) = result(recipe, [logged(recipe, 0, "a", test_accuracy=share, test_images=images)]).figures
    assert found.verdict == verdict


def test_on_which_side_a_figure_lies_is_said() -> None:
    recipe = digits("value: 0.9216")
    for share, side in ((0.93, "above"), (0.91, "below")):
        (found,) = result(recipe, [logged(recipe, 0, "a", test_accuracy=share, test_images=10_000)]).figures
        assert verdict_words(found) == f"{side}: the published figure lies beyond the interval"


def test_single_trainings_that_lie_close_are_no_comparison(study: Recipe) -> None:
    def pair(ahead: float, behind: float, seed: str = "0", **params: str) -> list[Run]:
        runs = [
            logged(study, place, "x", test_accuracy=share, test_images=1000)
            for place, share in enumerate((ahead, behind))
        ]
        return [varied(runs[0], f"a{seed}", seed=seed), varied(runs[1], f"b{seed}", seed=seed, **params)]

    close = pair(0.601, 0.6)
    (order,) = result(study, close).orders
    assert order.holds is None
    assert order_words(order) == "No comparison, a single training: 39.90% against 40.00%, test error."
    assert result(study, pair(0.8, 0.6)).orders[0].holds
    assert result(study, close + pair(0.601, 0.6, "1")).orders[0].holds  # two of each
    (elsewhere,) = result(study, pair(0.8, 0.6, data__name="other")).orders
    assert order_words(elsewhere).startswith("No comparison, on different images: 20.00% against")
