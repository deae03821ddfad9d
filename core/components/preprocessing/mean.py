"""The training set's mean of each channel subtracted, in units of 255."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.components.preprocessing import Preprocessing, Shape, Tensors, preprocessings
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from keras import layers
else:
    layers = LazyModule("keras.layers")


def build(values: Values, shape: Shape, mean: np.ndarray | None) -> Tensors:
    assert mean is not None
    channels = mean.mean(axis=(0, 1))
    return layers.Normalization(mean=channels.tolist(), variance=[255.0**2] * len(channels), name="mean")


preprocessings.register(
    Preprocessing(
        name="mean",
        label="subtract the training mean of each channel",
        summary="Less the training set's mean of each channel, divided by 255.",
        build=build,
        layer="Normalization",
        needs_mean=True,
    )
)
