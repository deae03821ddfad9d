"""Adam, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.components.optimizers import Optimizer, optimizers
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")


def build(values: Values, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(**common)


optimizers.register(
    Optimizer(
        name="adam",
        summary="Step sizes for each weight from moving averages of gradients and of their squares.",
        build=build,
        state=lambda values: 2,
    )
)
