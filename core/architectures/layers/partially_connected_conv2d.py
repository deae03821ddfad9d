"""A convolution in which each output map reads only some of the input maps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="archlab")
class PartiallyConnectedConv2D(keras.layers.Layer):
    """Valid convolution whose output map `i` reads the input maps `connections[i]` and no others.

    Only the wired kernels are parameters: `size * size` for each connection, and a bias for each output map.
    maps: `(N, H, W, C)` to `(N, H - size + 1, W - size + 1, len(connections))`. Weights start uniform in
    ±2.4 / fan-in of their output map.

    Source: C3 of LeNet-5 in LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document
    Recognition", Proceedings of the IEEE 86(11), 1998, table I.
    """

    def __init__(self, connections: tuple[tuple[int, ...], ...], size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.connections = tuple(tuple(sources) for sources in connections)
        self.size = size
        self.kernel_size = (size, size)
        self.wires = [(source, target) for target, row in enumerate(self.connections) for source in row]

    def build(self, input_shape: tuple[int, ...]) -> None:
        maps = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(self.size**2, len(self.wires)), initializer=self._start, name="kernel"
        )
        self.bias = self.add_weight(shape=(len(self.connections),), initializer="zeros", name="bias")
        self._place = np.zeros((len(self.wires), maps * len(self.connections)), dtype="float32")
        for wire, (source, target) in enumerate(self.wires):
            self._place[wire, source * len(self.connections) + target] = 1
        self._full_shape = (self.size, self.size, maps, len(self.connections))

    def _start(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        fan_in = np.array([self.size**2 * len(self.connections[target]) for _, target in self.wires])
        return keras.random.uniform(shape, -1.0, 1.0, dtype=dtype) * ops.cast(2.4 / fan_in, dtype)

    def call(self, maps: Any) -> Any:
        place = ops.cast(self._place, self.compute_dtype)
        kernel = ops.reshape(ops.matmul(self.kernel, place), self._full_shape)
        return ops.conv(maps, kernel, padding="valid") + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        rows, columns = (None if side is None else side - self.size + 1 for side in (height, width))
        return batch, rows, columns, len(self.connections)

    def multiply_accumulates(self, output_shape: tuple[int, ...]) -> int:
        """Multiply-accumulates for one image of `output_shape` `(H, W, C)`, along the wires that exist."""
        height, width, _ = output_shape
        return height * width * len(self.wires) * self.size**2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "connections": self.connections, "size": self.size}
