"""The temperature that is fitted on validation images, against another library and a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from core.analysis.temperature import fit_temperature, scaled, scaling, temperature_words


def predictions(seed: int, images: int, sharpened: float, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """float32 predictions whose right temperature is `sharpened`, and labels."""
    draws = np.random.default_rng(seed)
    logits = 3 * draws.normal(size=(images, classes))
    calibrated = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (calibrated.cumsum(axis=1) > draws.random((images, 1))).argmax(axis=1)
    powers = np.exp(sharpened * logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype("float32"), labels


@pytest.mark.parametrize("sharpened", [0.5, 2.5])
def test_of_two_classes_it_is_a_logistic_regression_without_intercept(sharpened: float) -> None:
    given, labels = predictions(1, 500, sharpened, classes=2)
    logit = np.log(given[:, 1].astype(float)) - np.log(given[:, 0].astype(float))
    other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logit[:, None], labels)
    assert fit_temperature(given, labels) == pytest.approx(1 / other.coef_[0, 0], rel=1e-4)


def test_a_known_temperature_is_found_and_calibrates_other_images() -> None:
    validation, test = predictions(2, 4000, 2.5), predictions(3, 4000, 2.5)
    found = scaling(*validation, *test)
    assert found is not None
    assert found.temperature == pytest.approx(2.5, rel=0.1)
    assert found.before.error > 3 * found.before.floor
    assert found.after.error <= found.after.floor
    np.testing.assert_array_equal(found.probabilities.argmax(axis=1), test[0].argmax(axis=1))
    assert found.differs
    said = temperature_words(found)
    assert said.startswith(f"Temperature {found.temperature:.2f}, fitted on 4,000 validation images")
    assert "overconfident" in said
    assert "no evidence of bad calibration" in said


def test_of_calibrated_predictions_one_temperature_in_twenty_seems_to_differ_from_one() -> None:
    found = [scaling(*predictions(seed, 200, 1.0), *predictions(seed, 50, 1.0)) for seed in range(60)]
    assert sum(one is not None and one.differs for one in found) <= 8
    one = next(one for one in found if one is not None and not one.differs)
    assert "they cannot tell it from 1" in temperature_words(one)


def test_a_temperature_of_one_changes_nothing_and_zeros_stay_finite() -> None:
    given, _ = predictions(4, 50, 1.0)
    np.testing.assert_allclose(scaled(given, 1.0), given, rtol=1e-5)
    certain = np.eye(3, dtype="float32")
    assert np.isfinite(scaled(certain, 30.0)).all()
    assert scaled(certain, 30.0)[0, 0] < 0.95


def test_none_is_fitted_where_none_is_best() -> None:
    given, labels = predictions(5, 200, 1.0)
    assert fit_temperature(given, given.argmax(axis=1)) is None  # right on all of them
    assert fit_temperature(given[:49], labels[:49]) is None
