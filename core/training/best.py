"""Which epoch is best: one comparison for the log, for the weights that are kept, and for patience."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import keras
import numpy as np

from core.training.optimizers import kept_weights

Score = tuple[float, float]
WORST: Score = (-math.inf, -math.inf)
V = TypeVar("V", float, Score)


class Best(Generic[V]):
    """The highest value so far, and the epoch that reached it.

    Args:
        value: of the epochs before; lower than all, where there are none.
        epoch: counted from 1; 0: none yet.
    """

    def __init__(self, value: V, epoch: int = 0):
        self.value: V = value
        self.epoch = epoch

    def improves(self, value: V, epoch: int) -> bool:
        """Return whether an epoch is better than all before; remember it then. Of equals the first stays."""
        if not value > self.value:
            return False
        self.value, self.epoch = value, epoch
        return True


def score(logs: Mapping[str, float]) -> Score:
    """What makes an epoch the best: the highest val_accuracy; of equals, the lowest val_loss."""
    return logs.get("val_accuracy", -math.inf), -logs.get("val_loss", math.inf)


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best `score`."""

    def __init__(self) -> None:
        super().__init__()
        self.best: Best[Score] = Best(WORST)
        self._weights: list[np.ndarray] = []

    @property
    def epoch(self) -> int:
        """The epoch whose weights are kept; 0: none yet."""
        return self.best.epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.best.improves(score(logs or {}), epoch + 1):
            self._weights = kept_weights(self.model)

    def give_to(self, model: keras.Model) -> None:
        """Put the kept weights into a model, if there are any."""
        if self._weights:
            model.set_weights(self._weights)

    def state(self) -> dict[str, Any]:
        return {"epoch": self.best.epoch, "score": self.best.value, "weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self._weights = Best(tuple(state["score"]), state["epoch"]), state["weights"]
