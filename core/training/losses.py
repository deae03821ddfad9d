"""What a training minimizes, and the cross-entropy that is logged beside it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from core.config import TrainingConfig
from core.tracking.schema import CROSS_ENTROPY

TINY = 1e-7  # probabilities are kept this far from 0 and 1, as Keras does


class ClassLoss(keras.losses.Loss):
    """Cross-entropy of whole-number labels with smoothed targets and focus, in nats an image.

    Labels int `(N,)` or `(N, 1)`; probabilities `(N, k)` of a softmax, or `(N, 1)` of one sigmoid unit, the
    probability of class 1. smoothing: the share of a target that is spread evenly over all classes
    ("Rethinking the Inception Architecture", arXiv:1512.00567, section 7). gamma: the loss of a class of
    probability p counts `(1 - p) ** gamma` times ("Focal Loss", arXiv:1708.02002, without its alpha, which
    class weights are); 0 is cross-entropy.
    """

    def __init__(self, smoothing: float = 0.0, gamma: float = 0.0):
        super().__init__(name="class_loss")
        self.smoothing = smoothing
        self.gamma = gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        probabilities = ops.clip(y_pred, TINY, 1 - TINY)
        if probabilities.shape[-1] == 1:
            probabilities = ops.concatenate([1 - probabilities, probabilities], axis=-1)
        classes = probabilities.shape[-1]
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        targets = ops.one_hot(labels, classes, dtype=probabilities.dtype)
        targets = targets * (1 - self.smoothing) + self.smoothing / classes
        focus = (1 - probabilities) ** self.gamma if self.gamma else 1.0
        return -ops.sum(targets * focus * ops.log(probabilities), axis=-1)


def make_loss(training: TrainingConfig, outputs: int) -> str | keras.losses.Loss:
    """The loss of a config for a net of so many outputs; Keras' own where nothing special is asked for."""
    gamma = training.focal_gamma if training.loss == "focal" else 0.0
    if training.label_smoothing or gamma:
        return ClassLoss(training.label_smoothing, gamma)
    return "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"


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
