"""Gradients by whichever library Keras computes with; imported in the process that has Keras alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

NO_GRADIENT = "A step after the last feature maps has no gradient, so Grad-CAM shows nothing; occlusion does."


def value_and_gradient(function: Callable[[Any], tuple[Any, Any]], at: np.ndarray) -> tuple[Any, np.ndarray]:
    """Differentiate a function of one array.

    Args:
        function: Returns the number that is differentiated, and something else, which is returned as it is.
        at: float32 of any shape.

    Returns:
        What the function returned beside the number, and the gradient, of the shape of `at`.

    Raises ValueError where Keras computes with another library than TensorFlow and JAX, and where a step that
    has no gradient, as rounding, lies between the array and the number.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        point = tf.convert_to_tensor(at)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(point)
            number, beside = function(point)
        gradient = tape.gradient(number, point)
        if gradient is None:
            raise ValueError(NO_GRADIENT)
        return beside, np.asarray(gradient)
    if backend == "jax":
        import jax

        (_, beside), gradient = jax.value_and_grad(function, has_aux=True)(at)
        return beside, np.asarray(gradient)
    raise ValueError(f"Gradients are computed with TensorFlow or JAX. Keras has the backend '{backend}'.")
