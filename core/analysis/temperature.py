"""Temperature scaling: one number, fitted on validation images, by which confidence is corrected.

Dividing the logits by a temperature changes no predicted class: above 1 the model becomes less confident,
below 1 more. Source: C. Guo et al., "On Calibration of Modern Neural Networks" (arXiv:1706.04599). The
logarithms of probabilities are logits but for a constant of each image, which the softmax takes away, so what
a run logged is enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.analysis.calibration import Calibration, calibration

LEAST = 50  # validation images; on fewer a temperature says little
BOUNDS = (0.02, 50.0)
CHI_SQUARE = 3.841  # of one degree of freedom, which chance exceeds once in twenty
TINY = float(np.finfo(np.float32).tiny)  # in place of a probability of 0


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities that logits divided by a temperature give: float64 `(n, k)`.

    Args:
        probabilities: float `(n, k)`.
        temperature: Above 0; 1 changes nothing.
    """
    logits = _logits(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the temperature with the least negative log likelihood on validation images.

    Args:
        probabilities: float `(n, k)`.
        labels: int `(n,)`.

    Returns:
        None for fewer than 50 images, and where none is best: a model that is right on all of them would be
        the more confident the better, one at chance level the less.
    """
    from scipy.optimize import minimize_scalar  # scipy.optimize takes half a second to import

    if len(labels) < LEAST:
        return None
    loss = _loss(probabilities, labels)
    low, high = map(math.log, BOUNDS)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    at_a_bound = min(found.x - low, high - found.x) < 0.01
    return None if at_a_bound else math.exp(found.x)


@dataclass(frozen=True)
class Scaling:
    """What temperature scaling does to the predictions of a test set.

    Attributes:
        validation_images: On how many it was fitted.
        differs: Whether these can tell it from 1, by a likelihood-ratio test at 5 %.
        before: Calibration of the predictions as they are, and `after` with the temperature.
        probabilities: With the temperature, float64 `(n, k)`.
    """

    temperature: float
    validation_images: int
    differs: bool
    before: Calibration
    after: Calibration
    probabilities: np.ndarray


def scaling(
    validation: np.ndarray, validation_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> Scaling | None:
    """Fit a temperature on validation images, and apply it to test images; None where none can be fitted.

    Args:
        validation: Probabilities, float `(m, k)`, as `test` `(n, k)`.
        validation_labels: int `(m,)`, as `test_labels` `(n,)`.
    """
    temperature = fit_temperature(validation, validation_labels)
    if temperature is None:
        return None
    after = scaled(test, temperature)
    loss = _loss(validation, validation_labels)
    gain = 2 * len(validation_labels) * (loss(0.0) - loss(math.log(temperature)))
    return Scaling(
        temperature,
        len(validation_labels),
        gain > CHI_SQUARE,
        calibration(test, test_labels),
        calibration(after, test_labels),
        after,
    )


def temperature_words(found: Scaling) -> str:
    """Say what the temperature is, and what it does to the calibration error, in a sentence or two."""
    temperature, before, after = found.temperature, found.before, found.after
    if not found.differs:
        means = "they cannot tell it from 1, at which the model is as confident as it should be"
    elif temperature > 1:
        means = "the model is overconfident"
    else:
        means = "the model is less confident than it should be"
    verdict = "no evidence of bad calibration" if after.error <= after.floor else "still badly calibrated"
    return (
        f"Temperature {temperature:.2f}, fitted on {found.validation_images:,} validation images: {means}. "
        f"With it the calibration error on the test images is {after.error:.4f} instead of "
        f"{before.error:.4f} (noise floor {after.floor:.4f} instead of {before.floor:.4f}): {verdict}. "
        "No prediction changes."
    )


def _loss(probabilities: np.ndarray, labels: np.ndarray) -> Callable[[float], float]:
    """Return the mean negative log likelihood of labels, in nats, over the logarithm of the temperature."""
    logits = _logits(probabilities)
    of_label = logits[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        by = math.exp(-log_temperature)
        return float((np.log(np.exp(logits * by).sum(axis=1)) - of_label * by).mean())

    return loss


def _logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits up to a constant of each image, at most 0: float64 `(n, k)`."""
    logs = np.log(np.maximum(probabilities.astype("float64"), TINY))
    return logs - logs.max(axis=1, keepdims=True)
