"""Scaling to -1 to 1, as the mode "tf" of keras.applications."""

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
    return layers.Rescaling(1 / 127.5, offset=-1, name="tf")


preprocessings.register(
    Preprocessing(
        name="tf",
        label="-1 to 1 (Inception, Xception, MobileNet)",
        summary="Scaled to -1 to 1.",
        build=build,
        layer="Rescaling",
    )
)
