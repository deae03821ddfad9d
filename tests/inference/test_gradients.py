"""Gradients by the library that Keras computes with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from core.inference.gradients import NO_GRADIENT, value_and_gradient

pytestmark = pytest.mark.slow


def test_a_step_without_a_gradient_is_said() -> None:
    def largest(point: Any) -> tuple[Any, Any]:
        return keras.ops.cast(keras.ops.argmax(point), "float32"), point

    with pytest.raises(ValueError, match="has no gradient") as error:
        value_and_gradient(largest, np.arange(3, dtype="float32"))
    assert str(error.value) == NO_GRADIENT


def test_the_gradient_of_a_sum_of_squares() -> None:
    def squares(point: Any) -> tuple[Any, Any]:
        return keras.ops.sum(point**2), point

    _, gradient = value_and_gradient(squares, np.arange(3, dtype="float32"))
    assert gradient.tolist() == [0, 2, 4]
