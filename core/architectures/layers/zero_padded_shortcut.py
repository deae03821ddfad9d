"""The identity shortcut between stages of different size, which adds no parameter."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="archlab")
class ZeroPaddedShortcut(keras.layers.Layer):
    """Keep every `strides`-th row and column and fill up to `filters` channels with zeros.

    images: `(N, H, W, C)` to `(N, ceil(H / strides), ceil(W / strides), filters)`. The zeros are split
    evenly before and behind the channels; an odd one goes behind.

    Source: option A of "Deep Residual Learning for Image Recognition", arXiv:1512.03385, section 3.3.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def call(self, images: Any) -> Any:
        images = images[:, :: self.strides, :: self.strides, :]
        missing = self.filters - images.shape[-1]
        before = missing // 2
        return keras.ops.pad(images, [(0, 0), (0, 0), (0, 0), (before, missing - before)])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        rows, columns = (None if size is None else -(-size // self.strides) for size in (height, width))
        return batch, rows, columns, self.filters

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides}
