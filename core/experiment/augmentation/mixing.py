"""MixUp and CutMix: images of a batch mixed with others, and the loss with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from core.architectures.layers import AuxiliaryModel
from core.experiment.augmentation.erasing import rectangle
from core.experiment.augmentation.layer import an_image

QUANTILES = 4096


class Mix(layers.Layer):
    """Each image mixed with another of its batch; gives images, partner `(N,)` and own share `(N,)`.

    mixup: alpha of the Beta distribution of the share, 0: never ("mixup", arXiv:1710.09412). cutmix: the same
    for a rectangle of the partner ("CutMix", arXiv:1905.04899). With both, each image gets one of them.
    In evaluation every image is its own partner.
    """

    def __init__(self, mixup: float, cutmix: float, seed: int):
        super().__init__()
        self.mixup = mixup
        self.cutmix = cutmix
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: keras.KerasTensor, training: bool = False) -> tuple[Any, Any, Any]:
        count = ops.shape(images)[0]
        own = ops.arange(count, dtype="int32")
        if not training:
            return images, own, ops.ones((count,))
        partner = keras.random.shuffle(own, seed=self.generator)
        others = ops.take(images, partner, axis=0)
        mixed, share = images, ops.ones((count,))
        if self.mixup:
            share = self._beta(count, self.mixup)
            mixed = an_image(share) * images + an_image(1 - share) * others
        if self.cutmix:
            pasted, area = self._cut_mix(images, others, self._beta(count, self.cutmix))
            chosen = self._uniform(count) < (0.5 if self.mixup else 1.0)
            mixed = ops.where(an_image(chosen), pasted, mixed)
            share = ops.where(chosen, area, share)
        return mixed, partner, share

    def compute_output_spec(self, images: keras.KerasTensor, training: bool = False) -> tuple[Any, Any, Any]:
        count = images.shape[:1]
        return (
            keras.KerasTensor(images.shape, "float32"),
            keras.KerasTensor(count, "int32"),
            keras.KerasTensor(count, "float32"),
        )

    def _cut_mix(self, images: Any, others: Any, share: Any) -> tuple[Any, Any]:
        """Return the mixed images and the share of the pixels that are their own: whole pixels are pasted."""
        height, width = images.shape[1], images.shape[2]
        side = ops.sqrt(1 - share)
        tall, wide = ops.round(side * height), ops.round(side * width)
        count = ops.shape(images)[0]
        box = rectangle(images, tall, wide, self._uniform(count), self._uniform(count))
        return ops.where(box, others, images), 1 - tall * wide / (height * width)

    def _uniform(self, count: Any) -> Any:
        return keras.random.uniform((count,), seed=self.generator)

    def _beta(self, count: Any, alpha: float) -> Any:
        """Draws of Beta(alpha, alpha) from a table of quantiles: XLA lacks some samplers."""
        from scipy.stats import beta

        table = beta.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES, alpha, alpha).astype("float32")
        return ops.take(
            ops.convert_to_tensor(table), keras.random.randint((count,), 0, QUANTILES, seed=self.generator)
        )


class MixingModel(AuxiliaryModel):
    """A functional model whose last two outputs are the partner and the share that `Mix` gave.

    Cross-entropy is linear in the label, so the loss of a mixed label is the mixture of the losses of the two
    labels it is made of. Accuracy counts the label of the larger share; evaluation knows nothing of mixing.
    """

    def loss_terms(self, y: Any, outputs: Sequence[Any], sample_weight: Any) -> tuple[Any, Any, Any]:
        *heads, partner, share = outputs
        weight = ops.concatenate([share, 1 - share]) * 2  # twice as many terms in the mean
        if sample_weight is not None:
            given = ops.reshape(ops.cast(sample_weight, weight.dtype), (-1,))
            weight = weight * ops.concatenate([given, ops.take(given, partner)])
        labels = ops.concatenate([y, ops.take(y, partner, axis=0)])
        return labels, [ops.concatenate([head, head]) for head in heads], weight

    def metric_terms(self, y: Any, outputs: Sequence[Any]) -> tuple[Any, Any]:
        *heads, partner, share = outputs
        share = ops.reshape(share, (-1,) + (1,) * (len(y.shape) - 1))
        return ops.where(share >= 0.5, y, ops.take(y, partner, axis=0)), heads[0]
