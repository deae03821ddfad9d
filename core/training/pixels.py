"""How pixels of 0-255 become what a net wants; always part of the model that is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.architectures import Shape
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    layers = LazyModule("keras.layers")


@dataclass(frozen=True)
class Scaling:
    """A pixel times `scale` plus `offset`; the offset may be one a channel (red, green, blue)."""

    scale: float
    offset: float | tuple[float, ...] = 0.0


SCALINGS = {
    "unit": Scaling(1 / 255),  # 0 to 1
    "symmetric": Scaling(1 / 127.5, -1.0),  # -1 to 1
    "imagenet_mean": Scaling(1.0, (-123.68, -116.779, -103.939)),  # the mean colour of ImageNet is 0
}


def prepared(images: keras.KerasTensor, net_shape: Shape, scaling: Scaling) -> keras.KerasTensor:
    """Images `(N, H, W, C)` of 0-255 as the net takes them: resized, grey as colour if it asks, scaled."""
    height, width, channels = net_shape
    x = images
    if tuple(x.shape[1:3]) != (height, width):
        x = layers.Resizing(height, width, name="resize")(x)
    if x.shape[-1] != channels:
        x = layers.Concatenate(name="grey_as_colour")([x] * channels)
    offset = list(scaling.offset) if isinstance(scaling.offset, tuple) else scaling.offset
    return layers.Rescaling(scaling.scale, offset, name="scale")(x)
