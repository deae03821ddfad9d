"""Each image standardized by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.components.preprocessing import Preprocessing, Shape, Tensors, preprocessings
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers, ops
else:
    layers, ops = LazyModule("keras.layers"), LazyModule("keras.ops")


def build(values: Values, shape: Shape, mean: np.ndarray | None) -> Tensors:
    named = layers.Identity(name="standardize")
    return lambda images: standardize(named(images))


def standardize(images: keras.KerasTensor) -> keras.KerasTensor:
    """Give each image mean 0 and standard deviation 1; a flat one is divided by 1/√(its values) at least."""
    values = int(np.prod(images.shape[1:]))
    centred = images - ops.mean(images, axis=(1, 2, 3), keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True))
    return centred / ops.maximum(deviation, values**-0.5)


preprocessings.register(
    Preprocessing(
        name="standardize",
        label="standardise each image",
        summary="Each image with mean 0 and standard deviation 1.",
        build=build,
        layer="Identity",
    )
)
