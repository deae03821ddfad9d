"""A run that learned nothing or diverged is told from a healthy one, by what it logged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.analysis.health import (
    CHANCE,
    CONSTANT,
    EXPLODED,
    LEAK,
    TOO_FEW,
    UNUSABLE,
    of_predictions,
    set_metrics,
    troubles,
)
from core.analysis.scores import scores
from core.tracking import schema
from tests.support.runs import as_run

LABELS = np.repeat(np.arange(10), 36)  # the test set of the digits: 360 images, about as many of each class


def logged(probabilities: np.ndarray, labels: np.ndarray, *without: str, **more: Any) -> dict[str, Any]:
    """The row of a finished run with these test predictions, as the training logs them."""
    counts = np.bincount(labels, minlength=probabilities.shape[1]).tolist()
    found = scores(probabilities, labels) | set_metrics({"validation": counts, "test": counts})
    found["test_accuracy"] = float((probabilities.argmax(axis=1) == labels).mean())
    found |= {"loss": 2.3, "val_loss": 2.3, "accuracy": 0.1, "val_accuracy": 0.1}
    row = {f"metrics.{name}": value for name, value in found.items() if name not in without}
    tags = {f"tags.{schema.NUMBER}": "1", f"tags.{schema.LOSS}": "cross_entropy"}
    return {"status": schema.FINISHED, **row, **tags, **more}


def answering(answers: np.ndarray, classes: int = 10) -> np.ndarray:
    return np.eye(classes)[answers] * 0.8 + 0.2 / classes


def kinds(row: dict[str, Any]) -> list[str]:
    return [one.kind for one in troubles(as_run(row))]


def test_a_healthy_run_has_no_trouble() -> None:
    generator = np.random.default_rng(0)
    answers = np.where(generator.random(360) < 0.9, LABELS, 0)
    assert troubles(as_run(logged(answering(answers), LABELS))) == []
    assert of_predictions(answering(answers), LABELS) == []


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_one_answer_for_every_image_is_said_whatever_version_logged_it(classes: int) -> None:
    labels = np.arange(300) % classes
    labels[:20] = 0
    constant = answering(np.full(300, 1), classes)
    share = (labels == 1).mean()
    sentence = f"It predicts the same class for every test image ({share:.1%} correct)."
    new = logged(constant, labels)
    old = logged(constant, labels, "test_predicted_classes", *schema.SET_METRICS)
    for found in (troubles(as_run(new)), troubles(as_run(old)), of_predictions(constant, labels)):
        assert [(one.kind, one.sentence) for one in found] == [(CONSTANT, sentence)]
    # One image answered otherwise is another run: an old one is known by the identity of its scores alone.
    almost = answering(np.where(np.arange(300) == 7, 0, 1), classes)
    assert CONSTANT not in kinds(logged(almost, labels, "test_predicted_classes", *schema.SET_METRICS))


def test_guessing_is_chance_level_and_a_little_skill_is_not() -> None:
    generator = np.random.default_rng(0)
    guesses = answering(generator.integers(0, 10, 360))
    assert kinds(logged(guesses, LABELS)) == [CHANCE]
    (found,) = of_predictions(guesses, LABELS)
    accuracy = (guesses.argmax(axis=1) == LABELS).mean()
    assert found.sentence == (
        f"Its test accuracy, {accuracy:.1%}, is no better than chance: always answering the most frequent "
        "class gives 10.0%."
    )
    skill = np.where(generator.random(360) < 0.1, LABELS, generator.integers(0, 10, 360))  # about 0.19
    assert kinds(logged(answering(skill), LABELS)) == []


@pytest.mark.parametrize("majority", [64.0, -1.0, math.inf])
@pytest.mark.parametrize("accuracy", [-1.0, 0.5, 1e308])
def test_shares_that_cannot_be_are_no_trouble_and_no_error(majority: float, accuracy: float) -> None:
    row: dict[str, Any] = {"status": schema.FINISHED, f"tags.{schema.NUMBER}": "1"}
    scores = ("test_accuracy", "test_balanced_accuracy", "test_macro_f1", "best_val_accuracy")
    row |= {f"metrics.{name}": accuracy for name in scores}
    row |= {f"metrics.{part}_majority": majority for part in ("test", "validation")}
    row |= {f"metrics.{part}_images": -9.0 for part in ("test", "validation")}
    row |= {f"metrics.{part}_classes": 2.0 for part in ("test", "validation")}
    assert CHANCE not in kinds(row)
    assert CONSTANT not in kinds(row | {"metrics.test_balanced_accuracy": 5e-324})


def test_guesses_are_taken_for_skill_about_once_in_twenty_times() -> None:
    generator = np.random.default_rng(0)
    seen = [bool(of_predictions(answering(generator.integers(0, 10, 360)), LABELS)) for _ in range(400)]
    # Both accuracy and balanced accuracy are compared, and equal here: 5 %, of which 400 tries tell 2 to 9 %.
    assert 0.91 <= np.mean(seen) <= 0.98


def test_accuracy_below_the_largest_class_is_no_chance_when_the_small_classes_are_known() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [900, 100])
    answers = np.where(generator.random(1000) < 0.85, labels, 1 - labels)
    assert (answers == labels).mean() < 0.9  # below always answering class 0
    assert kinds(logged(answering(answers, 2), labels)) == []


@pytest.mark.parametrize("accuracy", [0.10, 0.12])
def test_without_a_test_set_validation_tells(accuracy: float) -> None:
    counts = {"validation": [18] * 10, "test": [0] * 10}
    row = {f"metrics.{name}": value for name, value in set_metrics(counts).items()}
    row |= {"status": schema.FINISHED, "metrics.best_val_accuracy": accuracy}
    assert kinds(row) == [CHANCE]
    assert kinds({**row, "metrics.best_val_accuracy": 0.2}) == []
    last = {
        "params.training.keep": "last",
        "metrics.best_val_accuracy": 0.9,
        "metrics.val_accuracy": accuracy,
    }
    assert kinds({**row, **last}) == [CHANCE]  # of the weights that it kept


VALIDATED = {"metrics.best_val_accuracy": 0.95, "metrics.validation_images": 200.0} | {
    "metrics.validation_majority": 0.5,
    "metrics.validation_classes": 2.0,
}


@pytest.mark.parametrize(
    ("right", "images", "more", "kind"),
    [
        (7, 10, {}, TOO_FEW),
        (7, 10, VALIDATED, TOO_FEW),
        (5, 10, VALIDATED, TOO_FEW),
        (5, 10, {}, CHANCE),
        (5, 10, VALIDATED | {"metrics.best_val_accuracy": 0.5}, CHANCE),
        (510, 1000, VALIDATED, CHANCE),  # so many images tell, whatever validation says
        (9, 10, {}, None),
    ],
)
def test_few_images_cannot_tell_an_accuracy_from_chance(
    right: int, images: int, more: dict[str, float], kind: str | None
) -> None:
    labels = np.arange(images) % 2
    answers = np.where(np.arange(images) < right, labels, 1 - labels)
    row = logged(answering(answers, 2), labels) | more
    assert kinds(row) == ([] if kind is None else [kind])
    if kind == TOO_FEW:
        assert troubles(as_run(row))[0].sentence == (
            f"10 test images cannot tell its test accuracy, {right / images:.1%}, from chance: "
            "always answering the most frequent class gives 50.0%."
        )


def test_one_answer_for_few_test_images_is_no_verdict_where_validation_shows_skill() -> None:
    row = logged(answering(np.zeros(4, int), 2), np.array([0, 0, 1, 1]))
    assert kinds(row) == [CONSTANT]
    assert kinds(row | VALIDATED) == [TOO_FEW]


def test_few_validation_images_cannot_tell_either() -> None:
    counts = {"validation": [5, 5], "test": [0, 0]}
    row = {f"metrics.{name}": value for name, value in set_metrics(counts).items()}
    row |= {"status": schema.FINISHED, "metrics.best_val_accuracy": 0.7}
    assert kinds(row) == [TOO_FEW]
    assert kinds({**row, "metrics.best_val_accuracy": 0.5}) == [CHANCE]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"metrics.loss": 3e13}, "Its training loss exploded: 3e+13 in the last epoch."),
        ({"metrics.val_loss": math.inf}, "Its validation loss exploded: inf in the last epoch."),
        ({"metrics.val_loss": math.nan}, "Its validation loss is not a number any more."),
        ({"metrics.test_loss": 3e13}, "Its test loss exploded: 3e+13."),
        ({"metrics.test_loss": math.inf}, "Its test loss exploded: inf."),
        ({"metrics.loss": 150.0}, "Its training loss exploded: 150 in the last epoch."),
    ],
)
def test_a_loss_that_exploded_is_said(change: dict[str, float], sentence: str) -> None:
    healthy = logged(answering(LABELS), LABELS)
    assert [(one.kind, one.sentence) for one in troubles(as_run({**healthy, **change}))] == [
        (EXPLODED, sentence)
    ]


def test_penalties_of_older_versions_and_losses_of_other_programs_are_no_explosion() -> None:
    healthy = {**logged(answering(LABELS), LABELS), "metrics.loss": 150.0}
    assert kinds({**healthy, f"tags.{schema.LOSS}": None}) == []
    assert kinds({**healthy, f"tags.{schema.LOSS}": None, "metrics.loss": 3e13}) == [EXPLODED]
    resumed = {**healthy, f"tags.{schema.LOSS}": None, f"tags.{schema.LOSS_FROM}": "4"}
    assert kinds({**resumed, "last_epoch": 3.0}) == []
    assert kinds({**resumed, "last_epoch": 4.0}) == [EXPLODED]  # a cross-entropy again
    assert kinds({**healthy, f"tags.{schema.LOSS}": None, f"tags.{schema.NUMBER}": None}) == []


@pytest.mark.parametrize("accuracy", [64.0, math.nan])
def test_no_percentage_is_made_of_what_is_no_fraction(accuracy: float) -> None:
    row = {
        "status": schema.FINISHED,
        "metrics.test_accuracy": accuracy,
        "metrics.test_predicted_classes": 1.0,
    }
    assert troubles(as_run(row))[0].sentence == "It predicts the same class for every test image."


def test_leaks_and_accuracies_that_are_no_fractions_are_said() -> None:
    assert kinds({f"tags.{schema.LEAK}": "It saw them.", "metrics.test_accuracy": 97.0}) == [LEAK, UNUSABLE]
    assert kinds({f"tags.{schema.LEAK}": math.nan, "metrics.test_accuracy": math.nan}) == []
    assert kinds({"params.schedule.name": "range_test", "metrics.loss": math.inf}) == []
