"""VGG: depth from nothing but 3×3 convolutions.

Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
arXiv:1409.1556, table 1.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

FILTERS = (64, 128, 256, 512, 512)

# name: the paper's column, kernel sizes of the convolutions of each stage, LRN after the first convolution
TABLE: dict[str, tuple[str, tuple[tuple[int, ...], ...], bool]] = {
    "vgg11": ("A", ((3,), (3,), (3, 3), (3, 3), (3, 3)), False),
    "vgg11_lrn": ("A-LRN", ((3,), (3,), (3, 3), (3, 3), (3, 3)), True),
    "vgg13": ("B", ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)), False),
    "vgg16_1x1": ("C", ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)), False),
    "vgg16": ("D", ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)), False),
    "vgg19": ("E", ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)), False),
}

OPTIONS = (
    Option("dense_units", 4096, "Units of each of the two hidden dense layers.", 16, 8192),
    Option("dropout", 0.5, "Share of values dropped after each hidden dense layer.", 0.0, 0.9),
)


def vgg(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    stages: tuple[tuple[int, ...], ...],
    lrn: bool,
    dense_units: int = 4096,
    dropout: float = 0.5,
) -> keras.Model:
    """Five stages of same-padded convolutions, each ended by a 2×2 pool; two hidden dense layers; softmax.

    stages: the kernel sizes of each stage's convolutions. images: `(N, H, W, C)`.
    """
    x = images = keras.Input(input_shape)
    for stage, (filters, sizes) in enumerate(zip(FILTERS, stages, strict=True), start=1):
        for index, size in enumerate(sizes, start=1):
            x = layers.Conv2D(filters, size, padding="same", activation="relu", name=f"conv{stage}_{index}")(
                x
            )
            if lrn and (stage, index) == (1, 1):
                x = own_layers.LocalResponseNormalization(name="norm1_1")(x)
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = layers.Flatten()(x)
    for number in (1, 2):
        x = layers.Dense(dense_units, activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


for name, (column, stages, lrn) in TABLE.items():
    architectures.register(
        Architecture(
            name=name,
            family="VGG",
            build=partial(vgg, name=name, stages=stages, lrn=lrn),
            input_shape=(224, 224, 3),
            num_classes=1000,
            min_size=32,
            card=Card(
                title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
                authors="Karen Simonyan, Andrew Zisserman",
                year=2014,
                paper="arXiv:1409.1556",
                summary=f"Column {column} of table 1: {sum(map(len, stages))} small convolutions and three "
                "dense layers.",
                departures="Weights start by Glorot's rule, which the paper found to spare the warm start.",
            ),
            options=OPTIONS,
        )
    )
