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
      - {metric: test_accuracy, value: 0.9, where: here}
      - {metric: test_error, value: 0.1, where: here}
      - {metric: test_accuracy, value: 0.5, to: 0.8, where: here}
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
    first = logged(study, 0, "b", test_accuracy=0.7)
    (order,) = result(study, [first, second]).orders
    assert order.holds
    assert order_words(order) == "As published: 30.00% against 40.00%, test error."
    worse = logged(study, 0, "b", test_accuracy=0.5)
    assert order_words(result(study, [worse, second]).orders[0]).startswith("Not as published: 50.00%")


def test_what_differs_is_said_in_words(study: Recipe) -> None:
    run = logged(study, 0, "a", test_accuracy=0.7)
    shorter = Run("a", "x", schema.FINISHED, run.tags, params={**run.params, "training.epochs": "1"})
    assert result(study, [shorter]).differs == (
        "The rate was not published.",
        "first: Grey.",
        "Launched with other settings: training.epochs was 1 in place of 3 (first).",
        "The images are those of mine, not the published ones.",
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
