"""The sum of an input and its scaled residual."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="archlab")
class ScaledResidual(keras.layers.Layer):
    """`inputs + scale * residual`, for a pair of tensors of one shape, which is also the output's.

    Source: "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
    arXiv:1602.07261, section 3.3: scales of 0.1 to 0.3 keep very wide residual networks from dying.
    """

    def __init__(self, scale: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, pair: Any) -> Any:
        inputs, residual = pair
        return inputs + self.scale * residual

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}
