"""The registry of optimizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.components.settings import Component, Setting, Values
from core.registry import Registry

if TYPE_CHECKING:
    import keras

MOMENTUM = Setting(
    "momentum", 0.9, "Momentum", "Share of the last update that is added to the next.", ge=0, lt=1
)


@dataclass(frozen=True, kw_only=True)
class Optimizer(Component):
    """An optimizer of Keras.

    Attributes:
        build: `(values, **common) -> keras.optimizers.Optimizer`. common: arguments of every optimizer:
            learning_rate, weight_decay (None: none), clipping and moving average.
        state: `(values) -> int`: how many values it keeps for each weight that learns.
    """

    build: Callable[..., keras.optimizers.Optimizer]
    state: Callable[[Values], int]


optimizers: Registry[Optimizer] = Registry("optimizer", __name__)
