"""Adagrad, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 12, 2011."""

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
    return keras.optimizers.Adagrad(**common)


optimizers.register(
    Optimizer(
        name="adagrad",
        summary="Gradients divided by the root of the sum of all squared gradients before.",
        build=build,
        state=lambda values: 1,
    )
)
