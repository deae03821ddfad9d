"""The registry of losses, all of labels and of probabilities of a softmax or of one sigmoid unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.components.settings import Component
from core.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Loss(Component):
    """A loss by its formula.

    Attributes:
        formula: `(values, targets, probabilities, xp)`, targets and probabilities `(N, k)`, probabilities
            strictly between 0 and 1; returns the loss of each image, `(N,)`. xp: `keras.ops`, or NumPy.
        keras_names: the names of Keras' own loss for whole-number labels and for one sigmoid unit, which
            computes the same of targets that are not smoothed; None: there is none.
    """

    formula: Callable[..., Any]
    keras_names: tuple[str, str] | None = None


losses: Registry[Loss] = Registry("loss", __name__)
