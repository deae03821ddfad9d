"""Stochastic gradient descent with momentum, as papers on convolutional networks train with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.components.optimizers import MOMENTUM, Optimizer, optimizers
from core.components.settings import Setting, Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")

NESTEROV = Setting("nesterov", False, "Nesterov momentum", "Take the gradient after the step of momentum.")


def build(values: Values, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(momentum=values["momentum"], nesterov=values["nesterov"], **common)


optimizers.register(
    Optimizer(
        name="sgd",
        summary="Gradient descent with momentum.",
        settings=(MOMENTUM, NESTEROV),
        build=build,
        state=lambda values: int(values["momentum"] > 0),
    )
)
