"""ImageNet's mean and standard deviation of RGB in 0-1, as the mode "torch" of keras.applications."""

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

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def build(values: Values, shape: Shape, mean: np.ndarray | None) -> Tensors:
    return layers.Normalization(
        mean=[255 * one for one in MEAN], variance=[(255 * one) ** 2 for one in DEVIATION], name="torch"
    )


preprocessings.register(
    Preprocessing(
        name="torch",
        label="as PyTorch's models expect it (DenseNet)",
        summary="Scaled to 0-1, less ImageNet's mean, divided by its standard deviation.",
        build=build,
        layer="Normalization",
        colour_only=True,
    )
)
