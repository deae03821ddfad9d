"""Batches from a memory-mapped dataset: uint8 until the batch, any Keras backend."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

AHEAD = 16  # batches that are made before they are asked for


class Batches(keras.utils.PyDataset):
    """Batches of some rows of a dataset.

    images: uint8 `(N, H, W, C)`, may be larger than memory; labels: int64 `(N,)`; rows: int64 `(n,)`.
    seed: shuffles the rows anew for every epoch, the same way for the same seed; None keeps their order.
    epoch: the one whose order comes first, from 0. steps: batches an epoch; None: all there are.
    least: images in every batch, where there are several: each of several devices must get one, and batch
        normalization needs enough for its statistics. A last batch takes what it lacks from the one before.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        steps: int | None = None,
        least: int = 1,
    ):
        super().__init__(workers=1, max_queue_size=64)
        self.images = images
        self.labels = labels
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self.steps = steps
        self.least = least
        self._order = self._shuffled()

    def __len__(self) -> int:
        return self.steps or math.ceil(len(self.rows) / self.batch_size)

    @property
    def images_an_epoch(self) -> int:
        return min(len(self.rows), len(self) * self.batch_size)

    def from_epoch(self, epoch: int, steps: int | None = None) -> Batches:
        """Return batches that begin at `epoch`, at most `steps` of each epoch."""
        return Batches(
            self.images, self.labels, self.rows, self.batch_size, self.seed, epoch, steps, self.least
        )

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._order[self.images_before(index) : self.images_before(index + 1)]
        ascending = np.sort(rows)  # neighbours on disk are read together; the order in a batch is free
        return self.images[ascending], self.labels[ascending]

    def images_before(self, index: int) -> int:
        """How many images of an epoch come before a batch."""
        count = len(self.rows)
        last = (count - 1) // self.batch_size
        if index == last > 0:
            return min(index * self.batch_size, count - self.least)
        return min(index * self.batch_size, count)

    def on_epoch_end(self) -> None:
        self.set_epoch(self.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch, from 0."""
        self.epoch = epoch
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        if self.seed is None:
            return self.rows
        return np.random.default_rng((self.seed, self.epoch)).permutation(self.rows)


def fed(batches: Batches) -> Any:
    """The batches as `fit` and `predict` take them best: made ahead in a thread of the backend's own.

    TensorFlow's pipelines tune themselves unless told not to, and at the end of an epoch wait until the
    thread that does so wakes from a sleep that doubles each time: an epoch of 1.4 s took 2.6 s.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    kinds = tuple(
        tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in (batches.images, batches.labels)
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: map(batches.__getitem__, range(len(batches))), output_signature=kinds
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    known = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return known.prefetch(AHEAD).with_options(options)


class OrderOfEpoch(keras.callbacks.Callback):
    """Gives every epoch its own order, whichever was the first: Keras looks at batches before it begins."""

    def __init__(self, batches: Batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.set_epoch(epoch)


def steps_per_execution(steps: int, macs_per_step: int, on_gpu: bool) -> int:
    """Return the number of steps between two returns to Python, where progress is reported and cancels seen.

    At most 32, which gave 1.05 to 1.2 times the speed of single steps on small models on a CPU; at most a
    quarter of an epoch; and for a large model only as many as take about a second.

    macs_per_step: multiply-accumulates of a forward pass over one batch.
    """
    a_second = 1_000_000_000_000 if on_gpu else 10_000_000_000  # rough, and low for most machines
    return max(1, min(32, steps // 4, a_second // max(1, macs_per_step)))
