"""Scaling to 0-1."""

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
    return layers.Rescaling(1 / 255, name="scale")


preprocessings.register(
    Preprocessing(
        name="scale",
        label="scale to 0–1",
        summary="Divided by 255.",
        build=build,
        layer="Rescaling",
    )
)
