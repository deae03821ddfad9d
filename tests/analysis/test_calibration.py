"""The debiased calibration error, against another library and on predictions whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.calibration import calibration
from core.analysis.scores import expected_calibration_error


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predictions(seed: int, images: int, sharpened: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of 10 classes with about 82 % accuracy, calibrated unless their logits are multiplied."""
    draws = np.random.default_rng(seed)
    logits = 6 * draws.normal(size=(images, 10))
    labels = (softmax(logits).cumsum(axis=1) > draws.random((images, 1))).argmax(axis=1)
    return softmax(sharpened * logits), labels


def test_the_error_is_that_of_the_authors_of_the_estimator() -> None:
    """The number is the root of what `unbiased_square_ce` of uncertainty-calibration 0.1.4 gives."""
    draws = np.random.PCG64(7).random_raw(720) / 2.0**64
    confidence, right = 0.5 + 0.5 * draws[:360], draws[360:] < (0.5 + 0.5 * draws[:360]) ** 2
    found = calibration(np.stack([confidence, 1 - confidence], axis=1), np.where(right, 0, 1))
    assert found.error == pytest.approx(0.18172164344622543, abs=1e-12)


def test_calibrated_predictions_read_nothing_where_equal_width_bins_read_hundredths() -> None:
    """Median of 40 test sets of 360 images, as small as the test set of the digits."""
    sets = [predictions(seed, 360) for seed in range(40)]
    found = [calibration(*one) for one in sets]
    assert np.median([one.error for one in found]) < 0.01
    assert np.median([expected_calibration_error(*one) for one in sets]) > 0.03
    # 5 % of perfectly calibrated test sets exceed their floor; 40 of them tell less than 20 %.
    assert np.mean([one.error > one.floor for one in found]) < 0.2


def test_overconfident_predictions_stand_out_of_the_floor_with_enough_images() -> None:
    few, many = calibration(*predictions(0, 360, 1.5)), calibration(*predictions(0, 10_000, 1.5))
    assert many.floor < few.floor < 0.1
    assert many.error > 3 * many.floor
    assert calibration(*predictions(0, 10_000)).error < many.floor


def test_equal_confidences_share_a_bin_whatever_the_order_of_the_images() -> None:
    """Half of the images right at a confidence of a half: calibrated, however they are sorted."""
    probabilities = np.tile([0.5, 0.3, 0.2], (300, 1))
    labels = np.where(np.arange(300) < 150, 0, 1)
    assert calibration(probabilities, labels).error == 0
    certain = calibration(np.tile([1.0, 0.0], (100, 1)), np.array([0] * 90 + [1] * 10))
    # All squared gaps: (1 - 0.9)**2 less the variance of the accuracy. No chance can explain a mistake.
    assert certain.error == pytest.approx(np.sqrt(0.01 - 0.9 * 0.1 / 99))
    assert certain.floor == 0


@pytest.mark.parametrize("images", [1, 2, 9, 31])
def test_few_images_have_few_bins_and_a_high_floor(images: int) -> None:
    found = calibration(*predictions(3, images))
    assert 0 <= found.error <= 1
    assert found.floor >= 0
    assert calibration(*predictions(3, images)) == found  # the simulation has a seed
