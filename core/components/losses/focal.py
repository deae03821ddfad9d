"""Focal loss, "Focal Loss for Dense Object Detection", arXiv:1708.02002, without its alpha.

Class weights (`data.imbalance`) do what alpha does.
"""

from __future__ import annotations

from typing import Any

from core.components.losses import Loss, losses
from core.components.settings import Setting, Values

GAMMA = Setting(
    "focal_gamma", 2.0, "Focal gamma", "The loss of a class of probability p counts (1 - p)^gamma times.",
    ge=0, le=10,
)  # fmt: skip


def focal(values: Values, targets: Any, probabilities: Any, xp: Any) -> Any:
    focus = (1 - probabilities) ** values["focal_gamma"]
    return -xp.sum(targets * focus * xp.log(probabilities), axis=-1)


losses.register(
    Loss(
        name="focal",
        summary="Cross-entropy in which images that are already classified with confidence count less.",
        settings=(GAMMA,),
        formula=focal,
    )
)
