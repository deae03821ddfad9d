"""Lion, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675."""

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
    return keras.optimizers.Lion(**common)


optimizers.register(
    Optimizer(
        name="lion",
        summary="The sign of a moving average of gradients; wants a smaller learning rate than Adam.",
        build=build,
        state=lambda values: 1,
    )
)
