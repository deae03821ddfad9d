"""The callback of a learning-rate range test."""

from __future__ import annotations

import math
from typing import Any

import keras

from core.tracking.writer import MetricWriter
from core.training.optimizers import inner_optimizer, rate_of_last_step
from core.training.pipeline import Batches


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
