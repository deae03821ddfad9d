"""ResNet for ImageNet, and the plain networks it is compared with.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, table 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

FILTERS = (64, 128, 256, 512)
BOTTLENECK_EXPANSION = 4


def convolution(
    x: keras.KerasTensor, filters: int, size: int, strides: int, name: str, *, relu: bool
) -> keras.KerasTensor:
    """Convolution without bias, padded by half its kernel on every side; normalisation; perhaps ReLU."""
    if size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters, size, strides=strides, use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    x = layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x


def basic(x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
    """Two 3×3 convolutions; the first one carries the stride."""
    x = convolution(x, filters, 3, strides, f"{name}_conv1", relu=True)
    return convolution(x, filters, 3, 1, f"{name}_conv2", relu=False)


def bottleneck(x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
    """1×1, 3×3 and 1×1 convolutions; the first one carries the stride, the last one widens by four."""
    x = convolution(x, filters, 1, strides, f"{name}_conv1", relu=True)
    x = convolution(x, filters, 3, 1, f"{name}_conv2", relu=True)
    return convolution(x, BOTTLENECK_EXPANSION * filters, 1, 1, f"{name}_conv3", relu=False)


Block = Callable[["keras.KerasTensor", int, int, str], "keras.KerasTensor"]

# name: block, blocks a stage, whether blocks have shortcuts
TABLE: dict[str, tuple[Block, tuple[int, int, int, int], bool]] = {
    "resnet18": (basic, (2, 2, 2, 2), True),
    "resnet34": (basic, (3, 4, 6, 3), True),
    "resnet50": (bottleneck, (3, 4, 6, 3), True),
    "resnet101": (bottleneck, (3, 4, 23, 3), True),
    "resnet152": (bottleneck, (3, 8, 36, 3), True),
    "plain18": (basic, (2, 2, 2, 2), False),
    "plain34": (basic, (3, 4, 6, 3), False),
}


def resnet(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    block: Block,
    counts: tuple[int, int, int, int],
    residual: bool,
) -> keras.Model:
    """A 7×7 convolution and a pool, four stages of blocks, global average pooling, softmax.

    Where a block changes width or size its shortcut is a normalised 1×1 projection, elsewhere the identity.
    residual: False leaves the shortcuts out. images: `(N, H, W, C)`.
    """
    images = keras.Input(input_shape)
    x = convolution(images, FILTERS[0], 7, 2, "conv1", relu=True)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (filters, count) in enumerate(zip(FILTERS, counts, strict=True), start=2):
        for index in range(1, count + 1):
            here = f"conv{stage}_block{index}"
            strides = 2 if stage > 2 and index == 1 else 1
            skipped = x
            x = block(x, filters, strides, here)
            if residual:
                if skipped.shape[-1] != x.shape[-1]:
                    skipped = convolution(skipped, x.shape[-1], 1, strides, f"{here}_conv0", relu=False)
                x = layers.Add(name=f"{here}_add")([skipped, x])
            x = layers.Activation("relu", name=f"{here}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


for name, (block, counts, residual) in TABLE.items():
    architectures.register(
        Architecture(
            name=name,
            family="ResNet",
            build=partial(resnet, name=name, block=block, counts=counts, residual=residual),
            input_shape=(224, 224, 3),
            num_classes=1000,
            min_size=17,
            card=Card(
                title="Deep Residual Learning for Image Recognition",
                authors="Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
                year=2015,
                paper="arXiv:1512.03385",
                summary=(
                    "Blocks add what they compute to their input, so that depth stops hurting."
                    if residual
                    else "The ResNet of this depth without its shortcuts: the degradation experiment."
                ),
                departures="None in the layers. The paper's weight decay of 0.0001 is part of the gradient; "
                "the optimizer's own is decoupled from it, and about 0.001 comes near.",
            ),
        )
    )
