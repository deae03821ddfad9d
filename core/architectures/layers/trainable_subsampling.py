"""Subsampling with two trainable numbers a map, as LeNet had it before max pooling."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="archlab")
class TrainableSubsampling(keras.layers.Layer):
    """Add the four values of each 2×2 square, multiply by the map's weight, add the map's bias.

    maps: `(N, H, W, C)` to `(N, H // 2, W // 2, C)`, with 2·C parameters. The squashing function that follows
    is a layer of its own. The weights start uniform in ±2.4 / 4, as the paper starts all weights.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86(11), 1998, section II.B.
    """

    pool_size = strides = (2, 2)  # the paper's neighbourhood, without overlap

    def build(self, input_shape: tuple[int, ...]) -> None:
        maps = input_shape[-1]
        start = keras.initializers.RandomUniform(-2.4 / 4, 2.4 / 4)
        self.kernel = self.add_weight(shape=(maps,), initializer=start, name="kernel")
        self.bias = self.add_weight(shape=(maps,), initializer="zeros", name="bias")

    def call(self, maps: Any) -> Any:
        total = 4 * ops.average_pool(maps, self.pool_size, strides=self.strides, padding="valid")
        return total * self.kernel + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, maps = input_shape
        rows, columns = (None if size is None else size // 2 for size in (height, width))
        return batch, rows, columns, maps

    def multiply_accumulates(self, output_shape: tuple[int, ...]) -> int:
        """Values read for one image of `output_shape` `(H, W, C)`: four for each value that comes out."""
        height, width, maps = output_shape
        return height * width * maps * 4
