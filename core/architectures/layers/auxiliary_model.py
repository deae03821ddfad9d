"""A model whose auxiliary classifiers are used in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="archlab")
class AuxiliaryModel(keras.Model):
    """A functional model of several heads on one set of labels; the first head is the model's output.

    Built like any functional model, from `inputs` and the list `outputs` of the heads' probabilities. In
    training the loss of every further head is added with the weight `AUXILIARY_WEIGHT`; metrics, evaluation
    and prediction use the first head only. `core.architectures.inference_model` drops the others.

    Source: "Going Deeper with Convolutions", arXiv:1409.4842, section 5.
    """

    AUXILIARY_WEIGHT = 0.3

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        heads = super().call(inputs, training=training, mask=mask)
        return heads if training else heads[0]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if not isinstance(y_pred, (list, tuple)):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        y, (main, *auxiliary), sample_weight = self.loss_terms(y, y_pred, sample_weight)
        total = super().compute_loss(x, y, main, sample_weight, training)
        for head in auxiliary:
            total = total + self.AUXILIARY_WEIGHT * self._mean_loss(y, head, sample_weight)
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        if isinstance(y_pred, (list, tuple)):
            y, y_pred = self.metric_terms(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def loss_terms(self, y: Any, outputs: Sequence[Any], sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return the labels, the heads and the sample weights that the loss is computed from.

        outputs: all outputs of the model in training.
        """
        return y, outputs, sample_weight

    def metric_terms(self, y: Any, outputs: Sequence[Any]) -> tuple[Any, Any]:
        """Return the labels and the head that metrics are computed from; arguments as for `loss_terms`."""
        return y, outputs[0]

    def _mean_loss(self, y: Any, head: Any, sample_weight: Any) -> Any:
        """Return the compiled loss of one head, averaged over the batch as Keras averages the first one's."""
        loss = keras.losses.get(self.loss)
        if isinstance(loss, keras.losses.Loss):
            return loss(y, head, sample_weight)
        losses = loss(y, head)
        if sample_weight is not None:
            losses = losses * keras.ops.cast(sample_weight, losses.dtype)
        return keras.ops.mean(losses)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the first head."""
        return tuple(self.outputs[0].shape)
