"""The registry of preprocessings: from pixels of 0-255 to what a model gets; part of the saved model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.components.settings import Component, Values
from core.registry import Registry

if TYPE_CHECKING:
    import keras
    import numpy as np

Shape = tuple[int, int, int]
Tensors = Callable[["keras.KerasTensor"], "keras.KerasTensor"]
DEFAULT = "scale"  # where neither a person nor the weights choose


@dataclass(frozen=True, kw_only=True)
class Preprocessing(Component):
    """A preprocessing of Keras layers alone, so that the saved model needs nothing of this program.

    Attributes:
        label: its words in the form and its address.
        build: `(values, shape, mean)`: a function on tensors `(N, H, W, C)` of 0-255, which may be called
            repeatedly and shares its layers. shape: `(H, W, C)` of its input. mean: float32 `(H, W, C)`, at
            least as large; None unless `needs_mean`. One of its layers is named after the entry: a saved
            model is recognised by it.
        layer: the class name of that layer.
        needs_mean: whether it subtracts the mean image of the training set.
        colour_only: whether it takes 3 channels only.
    """

    label: str
    build: Callable[[Values, Shape, np.ndarray | None], Tensors]
    layer: str
    needs_mean: bool = False
    colour_only: bool = False


preprocessings: Registry[Preprocessing] = Registry("preprocessing", __name__)
