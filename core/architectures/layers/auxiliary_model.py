"""A net whose auxiliary classifiers take part in training and in nothing else."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="archlab")
class AuxiliaryModel(keras.Model):
    """A functional model of several heads on one set of labels; the first head is the net's answer.

    Built like any functional model, from `inputs` and the list `outputs` of the heads' probabilities. In
    training the loss of every further head is added with the weight `AUXILIARY_WEIGHT`; metrics, evaluation
    and prediction know the first head only. `core.architectures.inference_model` leaves the others behind.

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
        main, *auxiliary = y_pred if isinstance(y_pred, (list, tuple)) else [y_pred]
        total = super().compute_loss(x, y, main, sample_weight, training)
        for head in auxiliary:
            total = total + self.AUXILIARY_WEIGHT * self._mean_loss(y, head, sample_weight)
        return total

    def _mean_loss(self, y: Any, head: Any, sample_weight: Any) -> Any:
        """The compiled loss of one head, averaged over the batch as Keras averages the first head's."""
        loss = keras.losses.get(self.loss)
        if isinstance(loss, keras.losses.Loss):
            return loss(y, head, sample_weight)
        losses = loss(y, head)
        if sample_weight is not None:
            losses = losses * keras.ops.cast(sample_weight, losses.dtype)
        return keras.ops.mean(losses)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        main = y_pred[0] if isinstance(y_pred, (list, tuple)) else y_pred
        return super().compute_metrics(x, y, main, sample_weight)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the first head."""
        return tuple(self.outputs[0].shape)
