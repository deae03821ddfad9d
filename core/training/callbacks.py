"""What happens besides the steps: logging, progress, keeping the best weights, stopping on NaN."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from core.tracking import schema
from core.tracking.writer import MetricWriter

Score = tuple[float, float]
WORST: Score = (-math.inf, -math.inf)


def score(logs: Mapping[str, float]) -> Score:
    """What makes an epoch the best: the highest val_accuracy; of equals, the lowest val_loss."""
    return logs.get("val_accuracy", -math.inf), -logs.get("val_loss", math.inf)


class EpochLogger(keras.callbacks.Callback):
    """Writes every epoch's metrics to the store and a line to the log.

    Speed counts the training steps alone: the first epoch's includes compiling, none includes validation.
    """

    def __init__(self, writer: MetricWriter, images: int, epochs: int):
        super().__init__()
        self.writer = writer
        self.images = images
        self.epochs = epochs
        self.best = WORST
        self.best_epoch = 0
        self._trained_at: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._began = time.perf_counter()
        self._trained_at = None

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._trained_at = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.perf_counter()
        number, values = epoch + 1, dict(logs or {})
        values["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        values["images_per_second"] = self.images / ((self._trained_at or now) - self._began)
        values["epoch_seconds"] = now - self._began
        if score(values) > self.best:
            self.best, self.best_epoch = score(values), number
        if self.best_epoch:
            values["best_val_accuracy"], values["best_epoch"] = self.best[0], self.best_epoch
        self.writer.metrics(values, step=number)
        shown = " · ".join(
            f"{name} {values[name]:.4f}"
            for name in ("loss", "accuracy", "val_loss", "val_accuracy")
            if name in values
        )
        print(f"epoch {number}/{self.epochs} · {shown} · {values['images_per_second']:.0f} images/s")


class ProgressReporter(keras.callbacks.Callback):
    """Tells the store how far the run is, about once a second; nothing is written between.

    The tag is JSON: phase, epoch, epochs, step, steps, images_per_second, remaining_s.
    """

    def __init__(self, writer: MetricWriter, steps_per_epoch: int, epochs: int, images: int):
        super().__init__()
        self.writer = writer
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.images = images
        self._first: tuple[float, int] | None = None  # after the first execution, which also compiled
        self._not_training_s = 0.0  # between the last step of an epoch and the first of the next
        self._epoch = 0
        self._last_step_at = 0.0
        self.last: dict[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        if self._first is not None:
            self._not_training_s += time.perf_counter() - self._last_step_at

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        in_epoch = min(batch + 1, self.steps_per_epoch)  # Keras counts a partial execution as a whole one
        now, done = time.perf_counter(), self._epoch * self.steps_per_epoch + in_epoch
        self._last_step_at = now
        if self._first is None:
            self._first = (now, done)
        elapsed, steps = now - self._first[0], done - self._first[1]
        steps_in_all = self.steps_per_epoch * self.epochs
        progress: dict[str, Any] = {
            "phase": "training",
            "epoch": self._epoch + 1,
            "epochs": self.epochs,
            "step": done,
            "steps": steps_in_all,
        }
        if steps:
            progress["remaining_s"] = round(elapsed / steps * (steps_in_all - done), 1)
            training_s = elapsed - self._not_training_s
            progress["images_per_second"] = round(steps / training_s * self.images / self.steps_per_epoch, 1)
        self.last = progress
        self.writer.tags({schema.PROGRESS: json.dumps(progress)})

    def phase(self, name: str) -> None:
        """Say what is done besides training steps."""
        self.writer.tags({schema.PROGRESS: json.dumps({"phase": name, "epochs": self.epochs})})


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best `score`."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0
        self._score = WORST
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        reached = score(logs or {})
        if reached > self._score:
            self._score, self.epoch = reached, epoch + 1
            self._weights = self.model.get_weights()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._weights:
            self.model.set_weights(self._weights)


class StopOnNan(keras.callbacks.Callback):
    """Ends a training whose loss is no longer a number; raises FloatingPointError with the epoch."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._check(logs)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch + 1

    def _check(self, logs: dict | None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise FloatingPointError(
                f"The loss became {float(loss)} in epoch {self._epoch}. "
                "A smaller learning rate usually helps."
            )
