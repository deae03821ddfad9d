"""Moving statistics of batch normalization that fit the weights they are evaluated with.

Layers of batch normalization answer with means and variances gathered while training. They start at 0 and 1,
and Keras' default keeps 99 % of the old at every step: after the 40 steps of a short training two thirds are
still the start value. So the momentum of every layer that learns is limited by the number of steps. A moving
average of the weights has statistics of its own, which are measured before it is validated and kept.
"""

from __future__ import annotations

import math

import keras
import numpy as np

from core.schedules import Length
from core.training.pipeline import Batches

REST = 0.001  # share of the statistics that may be older than an epoch
PAPER = 0.9  # arXiv:1512.03385 trains ResNets with it
IMAGES = 64  # the statistics average over at least this many
MEASURED = 20  # one batch in this many is measured in an epoch: its forward pass took half the time of a step
MANY = 8  # batches that are measured at most, where they have enough images


def statistics_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The layers of batch normalization whose statistics change in training, nested ones too."""
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def limited_momentum(momentum: float, steps: int, batch_size: int) -> float:
    """The momentum of a layer of batch normalization for a training.

    Args:
        momentum: What the model itself asks for; never exceeded.
        steps: Of an epoch, or of the whole training where that is shorter.
        batch_size: Images of a step.
    """
    return min(momentum, REST ** (1 / steps), max(PAPER, 1 - batch_size / IMAGES))


def limit_momentum(model: keras.Model, run: Length, batch_size: int) -> None:
    """Let the statistics of a model forget fast enough; frozen layers keep theirs. Call before compiling."""
    for layer in statistics_layers(model):
        layer.momentum = limited_momentum(layer.momentum, min(run.steps_per_epoch, run.total), batch_size)


def measure_statistics(model: keras.Model, batches: Batches) -> None:
    """Replace the moving statistics by those of some batches, with the weights that the model has now.

    The mean over batches of what training would normalize them with ("Rethinking 'Batch' in BatchNorm",
    arXiv:2105.07576, section 3). The first batches are taken, in the order that `batches` has now.
    """
    layers = statistics_layers(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    count = max(math.ceil(IMAGES / batches.batch_size), min(MANY, len(batches) // MEASURED))
    try:
        for number in range(min(count, len(batches))):
            for layer in layers:
                layer.momentum = number / (number + 1)  # the mean of the batches so far
            images, _ = batches[number]
            model(keras.ops.convert_to_tensor(np.asarray(images), dtype=model.inputs[0].dtype), training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


class MeasureStatistics(keras.callbacks.Callback):
    """Measures the statistics of averaged weights before each validation.

    Comes after the callback that puts the averages into the model. What it replaces is of the weights of a
    single step; training itself does not read it, and it is measured again before it is next read.
    """

    def __init__(self, batches: Batches):
        super().__init__()
        self.batches = batches

    def on_test_begin(self, logs: dict | None = None) -> None:
        measure_statistics(self.model, self.batches)
