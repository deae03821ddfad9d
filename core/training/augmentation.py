"""Random changes of training images: Keras layers inside the net that trains, off in evaluation."""

from __future__ import annotations

import keras
from keras import layers, ops

from core.config import AugmentationConfig


def augmentation_layers(config: AugmentationConfig, seed: int) -> list[layers.Layer]:
    """The layers a config asks for, in order; images `(N, H, W, C)`, 0-255, pass unchanged in evaluation."""
    chosen: list[layers.Layer] = []
    if config.pad_and_crop:
        chosen.append(PadAndCrop(config.pad_and_crop, seed))
    if config.horizontal_flip:
        chosen.append(layers.RandomFlip("horizontal", seed=seed + 1))
    return chosen


class PadAndCrop(layers.Layer):
    """Zero padding on every side, then a crop of the old size at a place drawn for each image.

    The augmentation of He et al. 2015, arXiv:1512.03385, section 4.2. padding: pixels a side.
    """

    def __init__(self, padding: int, seed: int):
        super().__init__()
        self.padding = padding
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        margin = self.padding
        count = ops.shape(images)[0]
        height, width = images.shape[1], images.shape[2]
        padded = ops.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        top, left = (
            keras.random.randint((count, 1), 0, 2 * margin + 1, seed=self.generator) for _ in range(2)
        )
        rows = ops.expand_dims(top + ops.arange(height), (2, 3))  # (N, H, 1, 1)
        columns = ops.expand_dims(left + ops.arange(width), (1, 3))  # (N, 1, W, 1)
        return ops.take_along_axis(ops.take_along_axis(padded, rows, axis=1), columns, axis=2)
