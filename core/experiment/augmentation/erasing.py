"""Random erasing: a rectangle of an image is made unreadable."""

from __future__ import annotations

import math

import keras
from keras import ops

from core.experiment.augmentation.layer import RandomChange, an_image

SMALLEST_AREA = 0.02


class RandomErasing(RandomChange):
    """Erase a rectangle of some images ("Random Erasing Data Augmentation", arXiv:1708.04896).

    probability: how often. area: of the image at most; drawn from 0.02 on. ratio: the longer side by the
    shorter at most. per_pixel: with random pixels; otherwise black.
    """

    def __init__(self, probability: float, area: float, ratio: float, per_pixel: bool, seed: int):
        super().__init__(seed)
        self.probability = probability
        self.area = area
        self.ratio = ratio
        self.per_pixel = per_pixel

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        height, width = images.shape[1], images.shape[2]
        area = self.draw(images, SMALLEST_AREA, self.area) * (height * width)
        ratio = ops.exp(self.draw(images, -math.log(self.ratio), math.log(self.ratio)))
        tall = ops.clip(ops.round(ops.sqrt(area * ratio)), 1, height)
        # What does not fit the height goes to the width, so that the area stays as it was drawn.
        wide = ops.clip(ops.round(area / tall), 1, width)
        box = rectangle(images, tall, wide, self.draw(images, 0, 1), self.draw(images, 0, 1))
        chosen = an_image(self.draw(images, 0, 1) < self.probability)
        filling = 0.0
        if self.per_pixel:
            filling = keras.random.uniform(ops.shape(images), 0, 255, seed=self.generator)
        return ops.where(box & chosen, filling, images)


def rectangle(
    images: keras.KerasTensor,
    tall: keras.KerasTensor,
    wide: keras.KerasTensor,
    down: keras.KerasTensor,
    right: keras.KerasTensor,
) -> keras.KerasTensor:
    """A rectangle in each image: bool `(N, H, W, 1)`.

    tall, wide: whole pixels `(N,)`. down, right: its place, 0 to 1 of where it fits `(N,)`.
    """
    height, width = images.shape[1], images.shape[2]
    top = ops.floor(down * (height - tall + 1))
    left = ops.floor(right * (width - wide + 1))
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
    inside_rows = (rows >= an_image(top)) & (rows < an_image(top + tall))
    return inside_rows & (columns >= an_image(left)) & (columns < an_image(left + wide))
