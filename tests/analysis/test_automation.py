"""A promise of few mistakes is kept on new images, and answers as many images as it can."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.analysis.automation import RISK, STARTS, Outcome, least_images, outcome, promise


def _answers(rng: np.random.Generator, images: int, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a calibrated model: the class is drawn from the probabilities that it gives."""
    logits = rng.normal(scale=rng.uniform(0.5, 6.0, size=(images, 1)), size=(images, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (probabilities.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    return probabilities, drawn


@pytest.mark.parametrize(("mistakes", "images"), [(0.02, 8000), (0.05, 2000), (0.05, 6000)])
def test_over_resplits_the_error_stays_within_the_promise(mistakes: float, images: int) -> None:
    """In at least 90 % of 200 resplits; the answers are a good part of what could be answered."""
    rng = np.random.default_rng(0)
    probabilities, labels = _answers(rng, images + 4000)
    kept, shares = 0, []
    for _ in range(200):
        order = rng.permutation(len(labels))
        validation, test = order[:images], order[images:]
        promised = promise(probabilities[validation], labels[validation], mistakes)
        found = outcome(promised, probabilities[test], labels[test])
        kept += found.error <= mistakes
        shares.append(found.share)
    assert kept >= 180
    sure = np.sort(probabilities.max(axis=1))[::-1]
    possible = (np.cumsum(1 - sure) / np.arange(1, len(sure) + 1) <= mistakes).mean()
    assert np.mean(shares) > 0.75 * possible


def test_a_model_that_is_sure_of_its_mistakes_is_not_promised_for() -> None:
    rng = np.random.default_rng(1)
    probabilities, labels = _answers(rng, 3000)
    labels[rng.random(3000) < 0.1] = 0  # a tenth of the labels has nothing to do with the answer
    promised = promise(probabilities, labels, 0.01)
    assert np.isinf(promised.thresholds).all()
    assert outcome(promised, probabilities, labels) == Outcome(3000, 0, 0)


def test_a_class_that_is_often_wrong_has_a_higher_threshold() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.5, 1.0, 20_000)
    predicted = rng.integers(0, 2, 20_000)
    right = rng.random(20_000) < np.where(predicted == 0, 0.999, confidence**0.2)
    labels = np.where(right, predicted, 1 - predicted)
    probabilities = np.where(predicted[:, None] == [0, 1], confidence[:, None], 1 - confidence[:, None])
    first, second = promise(probabilities, labels, 0.05).thresholds
    assert first == pytest.approx(0.5, abs=0.01)
    assert first < second < 1


def test_a_confidence_that_many_images_share_lets_in_all_of_them_or_none() -> None:
    labels = np.zeros(2000, dtype=int)
    labels[1800:] = 1  # logged by class: the wrong ones are the last of the tie
    certain = np.tile([1.0, 0.0], (2000, 1))
    assert np.isinf(promise(certain, labels, 0.01).thresholds).all()
    above = np.vstack([np.tile([1.0, 0.0], (600, 1)), np.tile([0.9, 0.1], (2000, 1))])
    promised = promise(above, np.concatenate([np.zeros(600, dtype=int), labels]), 0.01)
    assert promised.thresholds.tolist() == [1.0, 1.0]


def test_with_rounded_confidences_the_error_stays_within_the_promise() -> None:
    """In at least 90 % of 100 draws of a model whose answers at one confidence are often wrong."""
    rng = np.random.default_rng(6)
    kept = 0
    for _ in range(100):
        confidence = rng.choice([0.8, 0.9, 1.0], 3000)
        right = rng.random(3000) < np.select([confidence == 1.0, confidence == 0.9], [0.999, 0.97], 0.6)
        labels = np.sort(np.where(right, 0, 1))  # in the order of the classes
        order = np.argsort(np.where(right, 0, 1), kind="stable")
        given = np.column_stack([confidence, 1 - confidence])[order]
        least = promise(given, labels, 0.01).thresholds[0]
        kept += np.isinf(least) or least == 1.0  # from 0.9 on 1.6 % of the answers are wrong
    assert kept >= 90


def test_how_many_images_a_promise_takes() -> None:
    """Rule of three at 95 %: about 3 / p images without a mistake say that the error is below p."""
    assert least_images(0.01, 0.05) == 299
    assert least_images(0.01, 0.1) == 230
    probabilities = np.tile([0.9, 0.1], (least_images(0.01, RISK / STARTS) - 1, 1))
    zeros = np.zeros(len(probabilities), dtype=int)
    assert np.isinf(promise(probabilities, zeros, 0.01).thresholds).all()
    more = np.tile([0.9, 0.1], (len(probabilities) + 1, 1))
    promised = promise(more, np.zeros(len(more), dtype=int), 0.01)
    assert promised.thresholds.tolist() == [0.9, 0.9]
    assert outcome(promised, more, np.zeros(len(more), dtype=int)).share == 1.0


def test_no_images_promise_nothing() -> None:
    promised = promise(np.zeros((0, 3)), np.zeros(0, dtype=int), 0.01)
    assert promised.thresholds.tolist() == [math.inf] * 3
    assert outcome(promised, np.zeros((0, 3)), np.zeros(0, dtype=int)).share == 0.0
