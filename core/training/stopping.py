"""Callbacks that wait for something better: early stopping and plateaus; and the one that stops on NaN."""

from __future__ import annotations

import math
from typing import Any

import keras

from core.tracking.schema import CROSS_ENTROPY
from core.training.best import Best
from core.training.optimizers import lower_rate

DOWN, UP = "val_loss", "val_accuracy"  # what may be watched: cross-entropy should fall, accuracy rise


class Patience(keras.callbacks.Callback):
    """Counts epochs without a better value of `watched`; `run_out` is called after `epochs` of them.

    Its state survives an interruption: `state` gives it, `restore` takes it.
    """

    def __init__(self, epochs: int, watched: str):
        super().__init__()
        self.epochs = epochs
        self.watched = watched
        self.best: Best[float] = Best(-math.inf)
        self.waited = 0

    def run_out(self, epoch: int) -> None:
        raise NotImplementedError

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = (logs or {})[self.watched] * (-1 if self.watched == DOWN else 1)
        if self.best.improves(value, epoch + 1):
            self.waited = 0
            return
        self.waited += 1
        if self.waited >= self.epochs:
            self.waited = 0
            self.run_out(epoch)

    def state(self) -> dict[str, Any]:
        return {"best": self.best.value, "waited": self.waited, "loss": CROSS_ENTROPY}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.waited = Best(state["best"]), state["waited"]
        if self.watched == DOWN and state.get("loss") != CROSS_ENTROPY:
            self.best = Best(-math.inf)  # an older checkpoint: its loss had penalties and cannot be compared


class StopEarly(Patience):
    """Ends a stage of the training when its patience has run out."""

    stopped = False

    def run_out(self, epoch: int) -> None:
        self.model.stop_training = self.stopped = True
        print(f"stopped early: {self.watched} has not improved for {self.epochs} epochs")

    def state(self) -> dict[str, Any]:
        return {**super().state(), "stopped": self.stopped}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.stopped = state["stopped"]


class LowerOnPlateau(Patience):
    """Lowers the rate of all later steps when its patience has run out."""

    def __init__(self, epochs: int, factor: float):
        super().__init__(epochs, DOWN)
        self.factor = factor

    def run_out(self, epoch: int) -> None:
        lower_rate(self.model, self.factor)
        print(f"learning rate times {self.factor:g} from epoch {epoch + 2} on: a plateau")


class StopOnNan(keras.callbacks.Callback):
    """Ends a training whose loss is no longer a number; raises FloatingPointError with the epoch."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._check(logs)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch + 1

    def _check(self, logs: dict | None) -> None:
        loss = (logs or {}).get("objective")
        if loss is not None and not math.isfinite(float(loss)):
            raise FloatingPointError(
                f"The loss became {float(loss)} in epoch {self._epoch}. "
                "A smaller learning rate usually helps."
            )
