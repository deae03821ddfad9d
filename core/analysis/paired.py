"""Tests of models that answered the same images. Pure functions on arrays.

right: bool `(images, models)`, which image each model got right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ALPHA = 0.05  # a difference is called real where chance alone shows one so large less often
POWER = 0.8  # with which the images that would be needed show the difference
EXACT_UP_TO = 20_000  # length of the exact distribution, past which it is taken as normal


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided p of the exact McNemar test.

    Among the images that one of two models alone gets right, each model has as many as heads in throws of a
    coin if both are equally good.
    """
    from scipy.special import bdtr  # the binomial distribution; scipy's binomtest takes 500 times as long

    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def sign_flip(differences: np.ndarray) -> float:
    """Return the two-sided p of the exact sign-flip test of differences an image: McNemar's for several runs.

    If two groups of models are equally good, every difference could as well have the other sign. The
    distribution of the sum over all signs is exact; with -1, 0 and 1 alone it is McNemar's.

    Args:
        differences: int `(images,)`, such as how many more runs of A than of B get an image right.
    """
    from scipy.special import gammaln, ndtr

    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    total = abs(int(differences.sum()))
    if len(sizes) < 2:
        return mcnemar(int((differences > 0).sum()), int((differences < 0).sum()))
    if int((sizes * counts).sum()) > EXACT_UP_TO:
        return min(1.0, 2 * float(ndtr(-total / math.sqrt(float((sizes**2 * counts).sum())))))
    shares = np.ones(1)  # of the sum of those whose sign is positive
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        heads = np.arange(count + 1)
        ways = gammaln(count + 1) - gammaln(heads + 1) - gammaln(count - heads + 1)
        one = np.zeros(size * count + 1)
        one[::size] = np.exp(ways - count * math.log(2))
        shares = np.convolve(shares, one)
    sums = 2 * np.arange(len(shares)) - (len(shares) - 1)
    return float(np.clip(shares[np.abs(sums) >= total].sum(), 0.0, 1.0))


def cochrans_q(right: np.ndarray) -> float:
    """Return the p of Cochran's Q test that all of three or more models are equally good."""
    from statsmodels.stats.contingency_tables import cochrans_q

    decided = right[right.any(axis=1) & ~right.all(axis=1)]  # others say nothing
    if not len(decided):
        return 1.0
    return float(cochrans_q(decided.astype(int)).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust the p of several tests by Holm's method: all of them together err in 5 of 100 cases at most.

    By hand because that of statsmodels collects Python's garbage first, which takes 0.1 s in this program.
    """
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, dtype=float)[order] * factors))
    return [float(one) for one in adjusted]


def images_needed(disagreement: float, difference: float) -> int | None:
    """Return how many test images show a difference with a power of 80 % at p = 0.05; None where none do.

    Source: R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43 (1987).

    Args:
        disagreement: The share of images that one of two models alone gets right.
        difference: Of the two accuracies, from 0 to 1.
    """
    from scipy.special import ndtri

    difference = abs(difference)
    disagreement = max(disagreement, difference)
    if not difference:
        return None
    z_alpha, z_power = float(ndtri(1 - ALPHA / 2)), float(ndtri(POWER))
    spread = z_alpha * math.sqrt(disagreement) + z_power * math.sqrt(disagreement - difference**2)
    return math.ceil((spread / difference) ** 2)
