"""How well probabilities fit labels, beyond accuracy. Pure functions on arrays.

probabilities: float `(n, k)`, one column a class; labels: int `(n,)`, both of the same images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.analysis.calibration import calibration
from core.lazy import LazyModule

if TYPE_CHECKING:
    from sklearn import metrics
else:
    metrics = LazyModule("sklearn.metrics")  # seconds of import, which no training should wait for

BINS = 15  # of confidence; "On Calibration of Modern Neural Networks", arXiv:1706.04599


def scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Compute scores under their names in the schema: balanced accuracy, macro F1, ROC AUC, calibration and
    the number of predicted classes.

    Classes without test images count in none of them; a score that cannot be had is left out.
    """
    answers = probabilities.argmax(axis=1)
    present = np.unique(labels)
    right = np.array([np.count_nonzero(answers[labels == one] == one) for one in present])
    images = np.array([np.count_nonzero(labels == one) for one in present])
    predicted = np.array([np.count_nonzero(answers == one) for one in present])
    calibrated = calibration(probabilities, labels)
    found = {
        "test_balanced_accuracy": float(np.mean(right / images)),
        "test_macro_f1": float(np.mean(2 * right / (images + predicted))),
        "test_ece": expected_calibration_error(probabilities, labels),
        "test_calibration_error": calibrated.error,
        "test_calibration_floor": calibrated.floor,
        "test_predicted_classes": float(len(np.unique(answers))),
    }
    if len(present) > 1:
        areas = [area_under_roc(labels == one, probabilities[:, one]) for one in present]
        found["test_roc_auc"] = float(np.mean(areas))  # one class against the rest, all classes alike
    return found


def area_under_roc(truth: np.ndarray, given: np.ndarray) -> float:
    """Return how often an image of the class has a higher probability than another one; equal counts half.

    That is the area under the ROC curve (Hanley, McNeil, 1982, doi:10.1148/radiology.143.1.7063747), had
    from ranks: scikit-learn, which computes it too, takes seconds to import at the end of every training.

    Args:
        truth: bool `(n,)`, which images are of the class; some are and some are not.
        given: float `(n,)`, the probability of the class.
    """
    of_class = np.count_nonzero(truth)
    ranks = pd.Series(given).rank().to_numpy()[truth].sum()
    return float((ranks - of_class * (of_class + 1) / 2) / (of_class * (len(truth) - of_class)))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Return by how much confidence misses accuracy: the mean over bins of equal width, weighted by images.

    Confidence is the probability of the class that was answered. Biased: a perfectly calibrated model reads
    some hundredths on a few hundred images; `core.analysis.calibration` says what that noise is. Source:
    arXiv:1706.04599, equation 3.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(
        np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1
    )  # (a, b] as in the paper
    gaps = np.bincount(place, confidence - right, bins)
    return float(np.abs(gaps).sum() / len(labels))


def per_class(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return one row per class: class, precision, recall, f1 (NaN where undefined), images, and the class
    that its images are most often taken for, with how often; None for a class without mistakes.
    """
    answers = probabilities.argmax(axis=1)
    precision, recall, f1, images = metrics.precision_recall_fscore_support(
        labels,
        answers,
        labels=np.arange(len(classes)),
        zero_division=np.nan,
    )
    matrix = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(matrix, (labels, answers), 1)
    np.fill_diagonal(matrix, 0)
    most = matrix.argmax(axis=1)
    counts = matrix[np.arange(len(classes)), most]
    columns: dict[str, Any] = {
        "class": classes, "precision": precision, "recall": recall, "f1": f1, "images": images,
        "taken for": pd.Series(
            [
                f"{classes[other]} ({count:,})" if count else None
                for other, count in zip(most.tolist(), counts.tolist(), strict=True)
            ],
            dtype=object,
        ),
    }  # fmt: skip
    return pd.DataFrame(columns)
