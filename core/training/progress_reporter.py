"""The callback that reports how far a run is."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import keras

from core.schedules import Length
from core.tracking import schema
from core.tracking.progress import report
from core.tracking.writer import MetricWriter


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
