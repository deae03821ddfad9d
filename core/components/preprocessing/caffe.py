"""BGR less ImageNet's mean, in 0-255, as the mode "caffe" of keras.applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.components.preprocessing import Preprocessing, Shape, Tensors, preprocessings
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from keras import layers, ops
else:
    layers, ops = LazyModule("keras.layers"), LazyModule("keras.ops")

MEAN = (103.939, 116.779, 123.68)  # of blue, green, red


def build(values: Values, shape: Shape, mean: np.ndarray | None) -> Tensors:
    shift = layers.Normalization(mean=list(MEAN), variance=[1.0] * 3, name="caffe")
    return lambda images: shift(ops.flip(images, axis=-1))


preprocessings.register(
    Preprocessing(
        name="caffe",
        label="as Caffe's models expect it (VGG, ResNet)",
        summary="BGR in 0-255, less ImageNet's mean.",
        build=build,
        layer="Normalization",
        colour_only=True,
    )
)
