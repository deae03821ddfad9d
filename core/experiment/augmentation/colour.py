"""Brightness, contrast and noise. Nothing is clipped: what goes past 0 or 255 stays there for the model.

Clipping, as Keras' layers do, would tell a bright image from a brightened one.
"""

from __future__ import annotations

import keras
from keras import ops

from core.experiment.augmentation.layer import RandomChange, an_image


class Brightness(RandomChange):
    """The same number added to all pixels of an image. factor: of the range 0-255, to either side."""

    def __init__(self, factor: float, seed: int):
        super().__init__(seed)
        self.bound = 255 * factor

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        return images + an_image(self.draw(images, -self.bound, self.bound))


class Contrast(RandomChange):
    """Differences from each channel's mean multiplied. factor: 0.8 gives 0.2 to 1.8 times as much."""

    def __init__(self, factor: float, seed: int):
        super().__init__(seed)
        self.factor = factor

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        means = ops.mean(images, axis=(1, 2), keepdims=True)
        return means + (images - means) * an_image(self.draw(images, 1 - self.factor, 1 + self.factor))


class Noise(RandomChange):
    """Normally distributed noise on every value. deviation: of the range 0-255."""

    def __init__(self, deviation: float, seed: int):
        super().__init__(seed)
        self.deviation = 255 * deviation

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        noise = keras.random.normal(ops.shape(images), stddev=self.deviation, seed=self.generator)
        return images + noise
