"""AdamW, "Decoupled Weight Decay Regularization", arXiv:1711.05101."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.components.optimizers import Optimizer, optimizers
from core.components.settings import Values
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
else:
    keras = LazyModule("keras")


def build(values: Values, weight_decay: float | None = None, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(weight_decay=weight_decay or 0.0, **common)  # Keras' default is 0.004


optimizers.register(
    Optimizer(
        name="adamw",
        summary="Adam, as the paper on decoupled weight decay has it.",
        build=build,
        state=lambda values: 2,
    )
)
