"""Cross-entropy."""

from __future__ import annotations

from typing import Any

from core.components.losses import Loss, losses
from core.components.settings import Values


def cross_entropy(values: Values, targets: Any, probabilities: Any, xp: Any) -> Any:
    return -xp.sum(targets * xp.log(probabilities), axis=-1)


losses.register(
    Loss(
        name="cross_entropy",
        summary="Cross-entropy: categorical after a softmax, binary after one sigmoid unit.",
        formula=cross_entropy,
        keras_names=("sparse_categorical_crossentropy", "binary_crossentropy"),
    )
)
