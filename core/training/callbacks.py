"""What happens besides the steps: logging, progress, keeping the best weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import keras
import numpy as np

from core.schedules import Length
from core.tracking import schema
from core.tracking.progress import report
from core.tracking.writer import MetricWriter
from core.training.optimizers import inner_optimizer, kept_weights, rate_of_last_step
from core.training.pipeline import Batches

Score = tuple[float, float]
WORST: Score = (-math.inf, -math.inf)


def score(logs: Mapping[str, float]) -> Score:
    """What makes an epoch the best: the highest val_accuracy; of equals, the lowest val_loss."""
    return logs.get("val_accuracy", -math.inf), -logs.get("val_loss", math.inf)


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
        self.best = WORST
        self.best_epoch = 0
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
        if score(values) > self.best:
            self.best, self.best_epoch = score(values), number
        if self.best_epoch:
            values["best_val_accuracy"], values["best_epoch"] = self.best[0], self.best_epoch
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
            "best": self.best,
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after an interruption; what the store missed of the epochs before is written now."""
        self.best, self.best_epoch = tuple(state["best"]), state["best_epoch"]
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


class ProgressReporter(keras.callbacks.Callback):
    """Tells the store how far the run is, about once a second; nothing is written between.

    The tag is JSON: phase, epoch, epochs, step, steps, images_per_second, remaining_s, and `at`, the time in
    seconds since 1970. The same is written to the job's folder, see `core.tracking.progress`.
    """

    REPORT_EVERY_S = 0.5

    def __init__(self, writer: MetricWriter, run: Length, images: int):
        super().__init__()
        self.writer = writer
        self.run = run
        self.images = images
        self._first: tuple[float, int] | None = None  # after the first execution, which also compiled
        self._not_training_s = 0.0  # between the last step of an epoch and the first of the next
        self._epoch = 0
        self._last_step_at = 0.0
        self._begun = False
        self._reported_at = -math.inf
        self.last: dict[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        if self._first is not None:
            self._not_training_s += time.perf_counter() - self._last_step_at

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if not self._begun:
            self._begun = True
            print(f"first step at {datetime.now(UTC).isoformat(' ', 'milliseconds')}")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        in_epoch = min(batch + 1, self.run.steps_per_epoch)  # Keras counts a partial execution as a whole one
        done = min(self._epoch * self.run.steps_per_epoch + in_epoch, self.run.total)
        now = time.perf_counter()
        self._last_step_at = now
        if self._first is None:
            self.writer.begin()
            self._first = (now, done)
        elapsed, steps = now - self._first[0], done - self._first[1]
        progress: dict[str, Any] = {
            "phase": "training",
            "epoch": self._epoch + 1,
            "epochs": self.run.epochs,
            "step": done,
            "steps": self.run.total,
        }
        if steps:
            progress["remaining_s"] = round(elapsed / steps * (self.run.total - done), 1)
            training_s = elapsed - self._not_training_s
            progress["images_per_second"] = round(
                steps / training_s * self.images / self.run.steps_per_epoch, 1
            )
        self.last = progress
        self._say(progress, at_once=done == self.run.total or not steps)

    def phase(self, name: str) -> None:
        """Say what is done besides training steps."""
        self._say({"phase": name, "epochs": self.run.epochs}, at_once=True)

    def _say(self, progress: dict[str, Any], at_once: bool) -> None:
        self.writer.tags({schema.PROGRESS: json.dumps({**progress, "at": time.time()})})
        if at_once or time.perf_counter() - self._reported_at > self.REPORT_EVERY_S:
            self._reported_at = time.perf_counter()
            report(self.writer.store.settings, self.writer.run_id, progress)


class RangeTest(keras.callbacks.Callback):
    """Writes rate and loss of every step of a range test, and ends it when the loss has run away.

    Steps must return to Python one by one. batches: what is trained on. logged: the last step that the store
    has already.
    """

    RUNAWAY = 4.0  # times the lowest loss so far

    def __init__(self, writer: MetricWriter, batches: Batches, logged: int = 0):
        super().__init__()
        self.writer = writer
        self.batches = batches
        self.logged = logged
        self._lowest = math.inf
        self._seen, self._sum = 0, 0.0  # images of this epoch, and their losses

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._seen, self._sum = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        seen = self.batches.images_before(batch + 1)
        total = float((logs or {})["objective"]) * seen  # Keras reports the mean of the epoch so far
        loss = (total - self._sum) / (seen - self._seen)
        self._seen, self._sum = seen, total
        step = int(inner_optimizer(self.model).iterations)
        if step > self.logged:
            self.writer.metrics({"range_rate": rate_of_last_step(self.model), "range_loss": loss}, step=step)
        self._lowest = min(self._lowest, loss)
        if not loss <= self.RUNAWAY * self._lowest:
            self.model.stop_training = True

    def state(self) -> dict[str, Any]:
        return {"lowest": self._lowest}

    def restore(self, state: dict[str, Any]) -> None:
        self._lowest = state["lowest"]


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
            self._weights = kept_weights(self.model)

    def give_to(self, model: keras.Model) -> None:
        """Put the kept weights into a model, if there are any."""
        if self._weights:
            model.set_weights(self._weights)

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "score": self._score, "weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.epoch, self._score, self._weights = state["epoch"], tuple(state["score"]), state["weights"]
