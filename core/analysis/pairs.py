"""Compares two models by their answers for the same test images.

What is tested depends on what the two have:

- one run each: exact McNemar over the images. It says which of the two trained models is better, not which
  architecture: another seed could turn it round.
- several runs of at least one (seeds): the difference over other images and other seeds together
  (`over_repeats.difference`). Few images that decide make its t test too sure, so the exact test over images
  has to agree.
- the same folds of a cross-validation: Nadeau and Bengio's corrected t over the validation accuracies of the
  folds, whose images together are many more than the test images. Where their number was not logged, the
  folds have to be three, with differences that vary; else they are compared as seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.evidence import Measured
from core.analysis.over_repeats import Estimate, difference, over_folds, paired_t, wilcoxon
from core.analysis.paired import ALPHA, images_needed, mcnemar, sign_flip

OVER_IMAGES, OVER_SEEDS, OVER_FOLDS = "images", "seeds", "folds"
SURE = 0.95  # probability from which two models are called practically the same


@dataclass(frozen=True)
class Pair:
    """Two entries, of which the first has the higher accuracy.

    Attributes:
        first: Its place among the entries, and `second` that of the other.
        over: What the test is over, and `repeats` how many of those where they are not images.
        difference: Of accuracies from 0 to 1, with its 95 % interval `low` to `high`.
        only_first: Images that the first gets right and the second not; of groups, those that more of its
            runs get right. `only_second` likewise.
        p: Of this test alone; `adjusted` for the number of pairs.
        better: The probability that the first is better by more than the margin, `same` that they are within
            it, `worse` that it is worse by more.
        needed: Test images that would show a difference of the margin at their disagreement.
    """

    first: int
    second: int
    over: str
    repeats: int
    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p: float
    better: float
    same: float
    worse: float
    needed: int | None
    adjusted: float = 1.0

    @property
    def differs(self) -> bool:
        """Whether the first is better and not lucky."""
        return self.adjusted < ALPHA

    @property
    def alike(self) -> bool:
        """Whether the two are practically the same."""
        return not self.differs and self.same >= SURE


def compare_pair(tested: Sequence[Measured], a: int, b: int, margin: float) -> Pair:
    """Test two entries by their places among some; `adjusted` is left at 1."""
    one, other = tested[a], tested[b]
    gaps = _gaps(one.right, other.right)
    over, repeats, estimate, p = _test(one, other, gaps)
    only_one, only_other = int((gaps > 0).sum()), int((gaps < 0).sum())
    better, same, worse = estimate.probabilities(margin)
    low, high = estimate.interval()
    disagreement = (only_one + only_other) / len(gaps)
    mean = float(one.right.mean() - other.right.mean()) if over != OVER_FOLDS else estimate.mean
    found = Pair(
        a, b, over, repeats, mean, low, high, only_one, only_other, p, better, same, worse,
        needed=images_needed(disagreement, margin or mean),
    )  # fmt: skip
    return found if mean >= 0 else _turned(found)


def over_seeds(one: Measured, other: Measured) -> tuple[float, float] | None:
    """Return the p of the paired t test and of Wilcoxon's over equal seeds; None where the seeds differ.

    They are shown beside the verdict and decide nothing: they take the test images as given.
    """
    if sorted(one.seeds) != sorted(other.seeds) or len(set(one.seeds)) < max(2, len(one.seeds)):
        return None
    a, b = (
        each.right.mean(axis=0)[sorted(range(len(each.seeds)), key=each.seeds.__getitem__)]
        for each in (one, other)
    )
    return paired_t(a, b), wilcoxon(a, b)


def tested_against(one: Measured, other: Measured) -> tuple[float, float]:
    """Return by how much the first of two is better, and the p of `compare_pair`, without the rest."""
    over, _, estimate, p = _test(one, other, _gaps(one.right, other.right))
    return estimate.mean if over == OVER_FOLDS else one.accuracy - other.accuracy, p


def _test(one: Measured, other: Measured, gaps: np.ndarray) -> tuple[str, int, Estimate, float]:
    """Return what is tested over, how many repeats, the difference and its p, as the module says."""
    if (folds := _same_folds(one, other)) is not None:
        estimate = over_folds(*folds, ratio=1 / (one.folds_of - 1), images=_fold_images(one, other))
        return OVER_FOLDS, len(folds[0]), estimate, estimate.p
    estimate = difference(one.right, other.right)
    runs = max(one.right.shape[1], other.right.shape[1])
    if runs == 1:
        p = mcnemar(int((gaps > 0).sum()), int((gaps < 0).sum()))
        return OVER_IMAGES, 1, estimate, p
    return OVER_SEEDS, runs, estimate, max(estimate.p, sign_flip(gaps))


def _gaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how many more runs of A than of B get each image right, in whole units: int64 `(images,)`."""
    unit = math.lcm(a.shape[1], b.shape[1])
    return a.sum(axis=1) * (unit // a.shape[1]) - b.sum(axis=1) * (unit // b.shape[1])


def _same_folds(one: Measured, other: Measured) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the validation accuracies of two entries on the same folds; None where they have others."""
    if not one.folds or one.folds_of != other.folds_of or sorted(one.folds) != sorted(other.folds):
        return None
    if len(set(one.folds)) < max(2, len(one.folds)):
        return None
    both = [
        each.validation[sorted(range(len(each.folds)), key=each.folds.__getitem__)] for each in (one, other)
    ]
    if not np.isfinite(both).all():
        return None
    varies = len(both[0]) > 2 and np.ptp(both[0] - both[1]) > 1e-9
    return (both[0], both[1]) if varies or _fold_images(one, other) else None


def _fold_images(one: Measured, other: Measured) -> float | None:
    """Return how many images validate a fold of two entries; None where a run did not log it."""
    numbers = (one.validation_images, other.validation_images)
    return None if None in numbers else min(number for number in numbers if number)


def _turned(pair: Pair) -> Pair:
    """The same pair with the other one first."""
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        difference=-pair.difference,
        low=-pair.high,
        high=-pair.low,
        only_first=pair.only_second,
        only_second=pair.only_first,
        better=pair.worse,
        worse=pair.better,
    )
