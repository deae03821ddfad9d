"""The training set's mean image subtracted, in units of 255."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.components.preprocessing import Preprocessing, Shape, Tensors, preprocessings
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    from keras import layers
else:
    layers = LazyModule("keras.layers")


def build(values: Values, shape: Shape, mean: np.ndarray | None) -> Tensors:
    """The middle of the mean image lies in the weights of the layer, so that it is saved with the model."""
    assert mean is not None
    height, width, _ = shape
    top, left = (mean.shape[0] - height) // 2, (mean.shape[1] - width) // 2
    layer = layers.Normalization(axis=(1, 2, 3), name="mean_image")
    layer.build((None, *shape))
    layer.adapt_mean.assign(mean[top : top + height, left : left + width])
    layer.adapt_variance.assign(np.full(shape, 255.0**2))
    layer.finalize_state()
    return layer


preprocessings.register(
    Preprocessing(
        name="mean_image",
        label="subtract the training set's mean image",
        summary="Less the training set's mean image, divided by 255.",
        build=build,
        layer="Normalization",
        needs_mean=True,
    )
)
