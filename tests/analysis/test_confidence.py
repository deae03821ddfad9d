"""What confidence is worth, on predictions small enough to count by hand and on many at random."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from core.analysis.confidence import coverage, reliability, top_k

GIVEN = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.4, 0.6]])
LABELS = np.array([0, 1, 1, 1])  # right, wrong, right, right


def test_coverage_counts_equal_confidences_together() -> None:
    found = coverage(GIVEN, LABELS)
    assert found.confidence.tolist() == [0.9, 0.8, 0.6]
    assert found.share.tolist() == [0.25, 0.75, 1.0]
    assert found.accuracy.tolist() == pytest.approx([1.0, 2 / 3, 0.75])


def test_the_largest_share_that_is_accurate_enough_is_answerable() -> None:
    found = coverage(GIVEN, LABELS)
    assert found.answerable(0.99) == (0.25, 0.9)
    assert found.answerable(0.7) == (1.0, 0.6)
    assert coverage(GIVEN, 1 - LABELS).answerable(0.99) is None


def test_top_k_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    given, labels = generator.dirichlet(np.ones(12), 300), generator.integers(0, 12, 300)
    expected = [top_k_accuracy_score(labels, given, k=k, labels=np.arange(12)) for k in range(1, 11)]
    assert top_k(given, labels).tolist() == pytest.approx(expected)
    assert top_k(GIVEN, LABELS).tolist() == [0.75, 1.0]
    equal = np.full((3, 3), 1 / 3)  # the first class ranks first
    assert top_k(equal, np.array([0, 1, 2])).tolist() == pytest.approx([1 / 3, 2 / 3, 1])


def test_bins_hold_all_images_and_their_answers() -> None:
    generator = np.random.default_rng(0)
    given, labels = generator.dirichlet(np.ones(3), 500), generator.integers(0, 3, 500)
    bins = reliability(given, labels)
    assert bins.images.sum() == 500
    assert bins.images.max() - bins.images.min() <= 1
    assert bins.right.sum() == (given.argmax(axis=1) == labels).sum()
    assert (np.diff(bins.confidence) > 0).all()
    assert np.average(bins.confidence, weights=bins.images) == pytest.approx(given.max(axis=1).mean())
