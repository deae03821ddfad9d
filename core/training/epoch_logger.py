"""Callbacks that log every epoch, under the names of the schema."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from core.tracking import schema
from core.tracking.writer import MetricWriter
from core.training.best import WORST, Best, Score, score
from core.training.optimizers import rate_of_last_step


class LossNames(keras.callbacks.Callback):
    """Gives the logs the names of the schema, for all callbacks after this one.

    Keras calls what is optimized `loss`; here that is `objective`, and `loss` is the cross-entropy.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._rename(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._rename(logs)

    def _rename(self, logs: dict | None) -> None:
        for prefix in ("", "val_"):
            if logs and f"{prefix}{schema.CROSS_ENTROPY}" in logs:
                logs[f"{prefix}objective"] = logs[f"{prefix}loss"]
                logs[f"{prefix}loss"] = logs.pop(f"{prefix}{schema.CROSS_ENTROPY}")


class EpochLogger(keras.callbacks.Callback):
    """Writes every epoch's metrics to the store and a line to the log.

    Speed counts training steps alone, without validation, and without the first execution of a `fit`, which
    also compiles; an epoch that is one such execution has no speed. clock: seconds, as `time.perf_counter`.
    logged: the last epoch of which the store has metrics already; an epoch that is trained a second time
    after an interruption is not written twice.
    """

    def __init__(
        self,
        writer: MetricWriter,
        images: int,
        epochs: int,
        logged: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ):
        super().__init__()
        self.writer = writer
        self.images = images
        self.epochs = epochs
        self.logged = logged
        self.clock = clock
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of all epochs, those before an interruption too
        self.best: Best[Score] = Best(WORST)
        self._trained_at: float | None = None
        self._compiled = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._compiled = False

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._began = self.clock()
        self._timed_from, self._timed_share = self._began, 1.0
        self._trained_at = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._compiled:
            return
        self._compiled = True
        self._timed_from = self.clock()
        self._timed_share = 1 - min(1.0, (batch + 1) / self.params["steps"])

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._trained_at = self.clock()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = self.clock()
        number, values = epoch + 1, {name: float(value) for name, value in (logs or {}).items()}
        values["learning_rate"] = rate_of_last_step(self.model)
        if self._timed_share:
            seconds = (self._trained_at or now) - self._timed_from
            values["images_per_second"] = self.images * self._timed_share / seconds
        values["epoch_seconds"] = now - self._began
        self.best.improves(score(values), number)
        if self.best.epoch:
            values["best_val_accuracy"], values["best_epoch"] = self.best.value[0], self.best.epoch
        self.seconds += values["epoch_seconds"]
        self.history.append(values)
        self._write(number, values)
        names = ["loss", "accuracy", "val_loss", "val_accuracy"]
        names += ["objective"] if self._shows_objective() else []
        shown = " · ".join(f"{name} {values[name]:.4f}" for name in names if name in values)
        if "images_per_second" in values:
            shown += f" · {values['images_per_second']:.0f} images/s"
        print(f"epoch {number}/{self.epochs} · {shown}")

    def _shows_objective(self) -> bool:
        """Whether the log has the objective beside the loss: in every epoch of a run, or in none.

        The first epoch decides, by more than the rounding by which the two differ where they are the same.
        """
        both = (values for values in self.history if {"loss", "objective"} <= values.keys())
        first = next(both, None)
        return first is not None and not math.isclose(first["objective"], first["loss"], rel_tol=1e-3)

    def state(self) -> dict[str, Any]:
        return {
            "best": self.best.value,
            "best_epoch": self.best.epoch,
            "seconds": self.seconds,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after an interruption; what the store missed of the epochs before is written now."""
        self.best = Best(tuple(state["best"]), state["best_epoch"])
        self.seconds, self.history = state["seconds"], [renamed(values) for values in state["history"]]
        for position, values in enumerate(self.history):
            self._write(position + 1, values)

    def _write(self, number: int, values: Mapping[str, float]) -> None:
        if number > self.logged:
            self.writer.metrics(values, step=number)


def renamed(values: Mapping[str, float]) -> dict[str, float]:
    """The metrics of an epoch under the names of the schema.

    A checkpoint from before `objective` was logged has what was optimized as `loss` and `val_loss`; the
    cross-entropy of these epochs is not known.
    """
    if "objective" in values:
        return dict(values)
    old = {"loss": "objective", "val_loss": "val_objective"}
    return {old.get(name, name): value for name, value in values.items()}
