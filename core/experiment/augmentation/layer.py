"""What all random changes have in common."""

from __future__ import annotations

import keras
from keras import layers, ops


class RandomChange(layers.Layer):
    """A random change of images `(N, H, W, C)`, 0-255; in evaluation they pass unchanged."""

    def __init__(self, seed: int):
        super().__init__()
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        return self.change(images) if training else images

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        raise NotImplementedError

    def draw(self, images: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
        """A number for each image, evenly distributed: float `(N,)`."""
        return keras.random.uniform((ops.shape(images)[0],), low, high, seed=self.generator)

    def whole(self, images: keras.KerasTensor, low: int, high: int) -> keras.KerasTensor:
        """A whole number for each image, from `low` to below `high`: int32 `(N,)`."""
        return keras.random.randint((ops.shape(images)[0],), low, high, seed=self.generator)


def an_image(values: keras.KerasTensor) -> keras.KerasTensor:
    """Values `(N,)` so shaped that each is combined with all pixels of its image: `(N, 1, 1, 1)`."""
    return ops.reshape(values, (-1, 1, 1, 1))
