"""What confidence is worth: accuracy among the images that a model is most confident of, and top-k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.calibration import bin_starts


@dataclass(frozen=True)
class Coverage:
    """Accuracy when only the images above a confidence are answered, by falling confidence.

    Attributes:
        confidence: The lowest confidence that is answered, float `(m,)`; equal confidences are one point.
        share: Of the images answered, from 0 to 1, `(m,)`.
        accuracy: Among those, `(m,)`.
    """

    confidence: np.ndarray
    share: np.ndarray
    accuracy: np.ndarray

    def answerable(self, accuracy: float) -> tuple[float, float] | None:
        """Return the largest share that is answered at least this accurately, and its lowest confidence.

        None where no share is.
        """
        good = np.flatnonzero(self.accuracy >= accuracy)
        return (float(self.share[good[-1]]), float(self.confidence[good[-1]])) if len(good) else None


def coverage(probabilities: np.ndarray, labels: np.ndarray) -> Coverage:
    """Measure accuracy over confidence. probabilities: float `(n, k)`; labels: int `(n,)`; n at least 1."""
    confidence = probabilities.max(axis=1).astype("float64")
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    right = np.cumsum((probabilities.argmax(axis=1) == labels)[order])
    last = np.append(np.flatnonzero(np.diff(confidence)), len(confidence) - 1)
    return Coverage(confidence[last], (last + 1) / len(confidence), right[last] / (last + 1))


def top_k(probabilities: np.ndarray, labels: np.ndarray, most: int = 10) -> np.ndarray:
    """Return the share of images whose class is among the k most probable, for k = 1 to `most` or k - 1.

    Of equal probabilities the first class ranks first. Returns float `(min(most, classes),)`.
    """
    of_label = probabilities[np.arange(len(labels)), labels][:, None]
    before = (probabilities == of_label) & (np.arange(probabilities.shape[1]) < labels[:, None])
    rank = ((probabilities > of_label) | before).sum(axis=1)
    return np.array([(rank < k).mean() for k in range(1, min(most, probabilities.shape[1]) + 1)])


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy of bins of equally many images.

    Attributes:
        confidence: Mean of each bin, `(b,)`.
        right: Images answered rightly, int `(b,)`.
        images: `(b,)`.
    """

    confidence: np.ndarray
    right: np.ndarray
    images: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """Return the bins that the calibration error is computed over, by rising confidence."""
    confidence = probabilities.max(axis=1).astype("float64")
    order = np.argsort(confidence, kind="stable")
    confidence = confidence[order]
    right = (probabilities.argmax(axis=1) == labels)[order]
    starts = bin_starts(confidence)
    sizes = np.diff([*starts, len(confidence)])
    mean = np.add.reduceat(confidence, starts) / sizes
    return Reliability(mean, np.add.reduceat(right.astype("int64"), starts), sizes)
