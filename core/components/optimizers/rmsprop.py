"""RMSprop, lecture 6e of Hinton's course "Neural Networks for Machine Learning"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.components.optimizers import MOMENTUM, Optimizer, optimizers
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")


def build(values: Values, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(momentum=values["momentum"], **common)


optimizers.register(
    Optimizer(
        name="rmsprop",
        summary="Gradients divided by a moving average of their size.",
        settings=(MOMENTUM,),
        defaults={"momentum": 0.0},  # as Keras has it
        build=build,
        state=lambda values: 1 + (values["momentum"] > 0),
    )
)
