"""By how much the confidence of predictions misses their accuracy, and what chance alone would show.

The plain calibration error of equal-width bins is biased: on a few hundred test images a perfectly calibrated
model reads some hundredths. Here bins hold equally many images, and the squared error is debiased, as
"Verified Uncertainty Calibration" (arXiv:1909.10155) and "Mitigating Bias in Calibration Error Estimation"
(arXiv:2012.08668) propose; the noise floor says what is left to chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
IMAGES_PER_BIN = 10  # at least, so that small test sets have fewer bins
SIMULATED = 20_000_000  # outcomes of images at most, shared by at most 1,000 simulations
QUANTILE = 0.95


@dataclass(frozen=True)
class Calibration:
    """error: root mean square difference of confidence and accuracy over the bins, debiased, from 0 to 1.

    floor: what 95 of 100 test sets would read at most if the same confidences were perfectly calibrated. An
    error up to the floor is no evidence of bad calibration.
    """

    error: float
    floor: float


def calibration(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> Calibration:
    """Measure calibration of the predicted class, and simulate its noise floor.

    probabilities: float `(n, k)`; labels: int `(n,)`; n at least 1. seed: of the simulation.
    """
    confidence = probabilities.max(axis=1).astype("float64")
    order = np.argsort(confidence, kind="stable")
    confidence = confidence[order]
    right = (probabilities.argmax(axis=1) == labels)[order]
    starts = bin_starts(confidence)
    error = float(_errors(confidence, right[None], starts)[0])
    draws = np.random.Generator(np.random.PCG64(seed))
    rounds = int(np.clip(SIMULATED // len(confidence), 200, 1000))
    chunk = max(1, 1_000_000 // len(confidence))
    simulated = [
        _errors(confidence, draws.random((min(chunk, rounds - done), len(confidence))) < confidence, starts)
        for done in range(0, rounds, chunk)
    ]
    return Calibration(error, float(np.quantile(np.concatenate(simulated), QUANTILE)))


def bin_starts(confidence: np.ndarray) -> np.ndarray:
    """Where each bin begins in ascending confidences `(n,)`; equal confidences share a bin."""
    count = min(BINS, max(1, len(confidence) // IMAGES_PER_BIN))
    wanted = np.arange(count) * len(confidence) // count
    return np.unique(np.searchsorted(confidence, confidence[wanted], side="left"))


def _errors(confidence: np.ndarray, right: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The debiased errors `(m,)` of outcomes `(m, n)` of the same images.

    The squared gap of a bin of n images exceeds the true one by the variance of its accuracy, of which
    `accuracy * (1 - accuracy) / (n - 1)` is the unbiased estimate.
    """
    sizes = np.diff([*starts, len(confidence)])
    sure = np.add.reduceat(confidence, starts) / sizes
    accuracy = np.add.reduceat(right.astype("float64"), starts, axis=1) / sizes
    noise = np.where(sizes > 1, accuracy * (1 - accuracy) / np.maximum(sizes - 1, 1), sure * (1 - sure))
    squared = ((sure - accuracy) ** 2 - noise) @ (sizes / len(confidence))
    return np.sqrt(np.maximum(squared, 0.0))
