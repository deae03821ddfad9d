"""Which answers of a model can be given without a person, so that few of them are wrong.

An image is answered where the confidence reaches the threshold of the predicted class. Of the k validation
images with the highest confidences, the mistakes are binomial with the error above that threshold (given the
threshold, they are independent draws), so an exact binomial test says whether that error may exceed the
promise. Numbers k, fixed before any answer is looked at, are tested from few to many, and the last one before
a test fails gives the threshold: fixed-sequence testing, with several starts that share the risk. A threshold
lets in all images of one confidence, so a k that would divide them is no test. Sources: A.
Angelopoulos et al., "Learn then Test" (arXiv:2110.01052); Y. Geifman and R. El-Yaniv, "Selective
classification for deep neural networks" (arXiv:1705.08500).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RISK = 0.02  # of thresholds that let through more mistakes; on a test set of thousands chance adds to it
STARTS = 3  # of the sequences of tests: each has a third of the risk
OWN = 20  # times the images that a test needs: a class that is predicted so often has its own threshold


@dataclass(frozen=True)
class Promise:
    """Thresholds below which a person is asked.

    Attributes:
        mistakes: The promised share of wrong answers among those given, from 0 to 1.
        thresholds: The least confidence of an answer, by predicted class, float `(k,)`; infinite where none
            is given.
        images: Validation images that it stands on.
    """

    mistakes: float
    thresholds: np.ndarray
    images: int

    def answers(self, probabilities: np.ndarray) -> np.ndarray:
        """Return which images are answered, bool `(n,)`. probabilities: float `(n, k)`."""
        predicted = probabilities.argmax(axis=1)
        return probabilities.max(axis=1) >= self.thresholds[predicted]


@dataclass(frozen=True)
class Outcome:
    """What became of a promise on test images: how many are answered, and how many of those wrongly."""

    images: int
    answered: int
    wrong: int

    @property
    def share(self) -> float:
        """The share of the images that is answered, from 0 to 1."""
        return self.answered / self.images if self.images else 0.0

    @property
    def error(self) -> float:
        """The share of the answers that is wrong; 0 where none is given."""
        return self.wrong / self.answered if self.answered else 0.0


def promise(probabilities: np.ndarray, labels: np.ndarray, mistakes: float, risk: float = RISK) -> Promise:
    """Find the thresholds that answer most images with at most a share of mistakes.

    With a chance of at least 1 - `risk` over the validation images, at most a share `mistakes` of the answers
    to new images of their kind is wrong. Classes that are predicted often have a threshold of their own, the
    others share one; each of these thresholds is tested at an equal part of the risk.

    Args:
        probabilities: Of validation images that chose nothing but epoch or settings, float `(n, k)`.
        labels: int `(n,)`.
        mistakes: Above 0, below 1.
        risk: Above 0, below 1.
    """
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    counts = np.bincount(predicted, minlength=classes)
    own = counts >= OWN * least_images(mistakes, risk / max(1, classes))
    groups = [np.array([one]) for one in np.flatnonzero(own)]
    if not own.all():
        groups.append(np.flatnonzero(~own))
    thresholds = np.full(classes, np.inf)
    for group in groups:
        inside = np.isin(predicted, group)
        right = predicted[inside] == labels[inside]
        thresholds[group] = _threshold(probabilities[inside].max(axis=1), right, mistakes, risk / len(groups))
    return Promise(mistakes, thresholds, len(labels))


def outcome(promised: Promise, probabilities: np.ndarray, labels: np.ndarray) -> Outcome:
    """Count answers and mistakes on images. probabilities: float `(n, k)`; labels: int `(n,)`."""
    answered = promised.answers(probabilities)
    wrong = answered & (probabilities.argmax(axis=1) != labels)
    return Outcome(len(labels), int(answered.sum()), int(wrong.sum()))


def promise_sentence(promised: Promise, found: Outcome, of: str = "") -> str:
    """Say how many images are answered, how many of those wrongly, and why none where none is.

    of: follows the least confidence, where another one is shown beside the sentence.
    """
    most = f"{promised.mistakes * 100:g} in 100 answers wrong"
    finite = promised.thresholds[np.isfinite(promised.thresholds)]
    if not len(finite):
        needed = least_images(promised.mistakes, RISK / STARTS)
        return (
            f"With at most {most}, nothing can be promised on {promised.images:,} validation images: that "
            f"takes at least {needed:,} to which the most confident answers are all right, or a better model."
        )
    low, high = float(finite.min()), float(finite.max())
    least = f"{low:.1%}{of}" if low == high else f"{low:.1%} to {high:.1%}{of}, by the predicted class"
    left = "" if len(finite) == len(promised.thresholds) else " Some classes are always left to a person."
    return (
        f"With at most {most}, {found.share:.1%} of the test images are answered, those with a confidence of "
        f"at least {least}; {found.wrong:,} of the {found.answered:,} answers ({found.error:.2%}) are "
        f"wrong.{left}"
    )


def least_images(mistakes: float, risk: float = RISK) -> int:
    """Return how many images, all answered rightly, it takes to promise a share of mistakes."""
    return math.ceil(math.log(risk) / math.log1p(-mistakes))


def _threshold(confidence: np.ndarray, right: np.ndarray, mistakes: float, risk: float) -> float:
    """The least confidence of an answer; infinite where the images are too few or the mistakes too many."""
    from scipy.stats import binom

    order = np.argsort(-confidence, kind="stable")
    confidence, wrong = confidence[order].astype("float64"), np.cumsum(~right[order])
    first = least_images(mistakes, risk / STARTS)
    starts = [first << power for power in range(STARTS) if first << power <= len(confidence)]
    whole = np.flatnonzero(np.append(np.diff(confidence) < 0, True)) + 1  # counts that divide no tie
    best = math.inf
    for start in starts:
        counts = whole[whole >= start]
        holds = binom.cdf(wrong[counts - 1], counts, mistakes) <= risk / STARTS
        passed = len(counts) if holds.all() else int(holds.argmin())
        if passed:
            best = min(best, float(confidence[counts[passed - 1] - 1]))
    return best
