"""Tests of models on the same images, against published examples and other libraries."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference
from statsmodels.stats.multitest import multipletests

from core.analysis.intervals import wilson
from core.analysis.paired import cochrans_q, holm, images_needed, mcnemar, sign_flip


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(right: int, images: int, low: float, high: float) -> None:
    assert wilson(right / images, images) == pytest.approx((low, high), abs=5e-5)
    assert wilson(right / images, images) == pytest.approx(
        stats.binomtest(right, images).proportion_ci(method="wilson"), abs=1e-9
    )


def test_mcnemar_is_exact() -> None:
    assert mcnemar(92, 36) == pytest.approx(7.88e-07, abs=5e-10)
    assert mcnemar(0, 0) == 1.0
    for only_a, only_b in ((3, 3), (0, 7), (212, 97)):
        table = [[100, only_a], [only_b, 10]]
        assert mcnemar(only_a, only_b) == pytest.approx(reference(table, exact=True).pvalue)
        assert mcnemar(only_a, only_b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)


def test_signs_flipped_are_counted_exactly() -> None:
    one_run = np.repeat([1, -1, 0], [92, 36, 500])
    assert sign_flip(one_run) == pytest.approx(mcnemar(92, 36))
    several = np.array([3, 1, 1, -2, 3, 2, 0, 1, -1])
    sums = [abs(int(np.dot(signs, several))) for signs in itertools.product((1, -1), repeat=len(several))]
    assert sign_flip(several) == pytest.approx(np.mean([one >= several.sum() for one in sums]))
    assert sign_flip(-several) == pytest.approx(sign_flip(several))
    assert sign_flip(np.zeros(5, int)) == 1.0
    many = np.random.default_rng(0).integers(-200, 206, 30_000)
    z = many.sum() / math.sqrt(float((many**2).sum()))
    assert sign_flip(many) == pytest.approx(2 * stats.norm.sf(z), rel=1e-6)


def test_cochrans_q_is_that_of_its_formula() -> None:
    right = np.random.default_rng(3).random((80, 4)) < [0.9, 0.8, 0.8, 0.7]
    columns, rows = right.sum(axis=0), right.sum(axis=1)
    q = 4 * 3 * ((columns - columns.mean()) ** 2).sum() / (4 * rows.sum() - (rows**2).sum())
    assert cochrans_q(right) == pytest.approx(stats.chi2.sf(q, 3))
    assert cochrans_q(np.ones((5, 3), bool)) == 1.0


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm 1979
    p = np.random.default_rng(0).random(12) ** 3
    assert holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_the_images_needed_are_those_of_the_formula_and_show_the_difference_4_times_of_5() -> None:
    assert images_needed(0.03, 0.005) == 9417
    assert images_needed(0.03, 0.0) is None
    assert images_needed(0.001, -0.005) == images_needed(0.005, 0.005)
    images = images_needed(0.10, 0.03)
    assert images is not None
    draws = np.random.default_rng(0).multinomial(images, [0.065, 0.035, 0.9], size=4000)
    power = np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in draws])
    assert power == pytest.approx(0.8, abs=0.05)
