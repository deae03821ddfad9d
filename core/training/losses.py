"""The loss of a config, and the cross-entropy that is logged beside it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from core.components import Values
from core.components.losses import Loss, losses
from core.config import TrainingConfig
from core.tracking.schema import CROSS_ENTROPY

TINY = 1e-7  # probabilities are kept this far from 0 and 1, as Keras does


class ClassLoss(keras.losses.Loss):
    """A loss of whole-number labels by its formula, with smoothed targets, in nats per image.

    Labels int `(N,)` or `(N, 1)`; probabilities `(N, k)` of a softmax, or `(N, 1)` of one sigmoid unit, the
    probability of class 1.

    Args:
        smoothing: share of a target that is spread evenly over all classes ("Rethinking the Inception
            Architecture", arXiv:1512.00567, section 7).
        loss: has the formula.
        values: the settings that the formula reads.
    """

    def __init__(self, smoothing: float = 0.0, loss: Loss | None = None, values: Values | None = None):
        super().__init__(name="class_loss")
        self.smoothing = smoothing
        self.loss = loss or losses.get("cross_entropy")
        self.values = values or {}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        probabilities = ops.clip(y_pred, TINY, 1 - TINY)
        if probabilities.shape[-1] == 1:
            probabilities = ops.concatenate([1 - probabilities, probabilities], axis=-1)
        classes = probabilities.shape[-1]
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        targets = ops.one_hot(labels, classes, dtype=probabilities.dtype)
        targets = targets * (1 - self.smoothing) + self.smoothing / classes
        return self.loss.formula(self.values, targets, probabilities, ops)


def make_loss(training: TrainingConfig, outputs: int) -> str | keras.losses.Loss:
    """Return the loss of a config for a model's number of outputs; Keras' own where it has the same."""
    loss = training.component
    if loss.keras_names is None or training.label_smoothing:
        return ClassLoss(training.label_smoothing, loss, training.values)
    return loss.keras_names[outputs == 1]


def accuracy(outputs: int) -> keras.metrics.Metric:
    """Return the accuracy metric for a model with this number of outputs.

    Keras creates a metric that is given by name only while it traces the training step; the step then has new
    variables and is traced a second time.
    """
    if outputs == 1:
        return keras.metrics.BinaryAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def cross_entropy() -> keras.metrics.Metric:
    """The mean cross-entropy of whole-number labels in nats, without weights, smoothing or penalties.

    It limits probabilities as `test_loss` does, so the two can be compared. Keras' own metric does not: in a
    compiled step it goes back to the logits.
    """
    return keras.metrics.MeanMetricWrapper(ClassLoss().call, name=CROSS_ENTROPY)
