"""The squashing function of the 1998 LeNet."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="archlab")
class ScaledTanh(keras.layers.Layer):
    """`1.7159 * tanh(2 / 3 * x)`, which maps 1 to 1 and -1 to -1 and has its steepest bend there.

    Takes and returns any shape.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86(11), 1998, appendix A.
    """

    def call(self, x: Any) -> Any:
        return 1.7159 * keras.ops.tanh(x * (2 / 3))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape
