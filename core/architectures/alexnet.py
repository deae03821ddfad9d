"""AlexNet, the winner of ImageNet 2012: ungrouped, split for two GPUs, and with batch normalisation.

Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NIPS 2012.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

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


def alexnet(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    groups: int,
    dense_units: int = 4096,
    dropout: float = 0.5,
) -> keras.Model:
    """Five convolutions, overlapping 3×3 pools, local response normalisation, two hidden dense layers.

    groups: of the second, fourth and fifth convolution; 2 is the paper's architecture, in which each GPU
    computed one half of the maps. Weights start normal with deviation 0.01; the biases of those
    convolutions and of the hidden dense layers start at 1, as published. images: `(N, H, W, C)`.
    """

    def start(bias: str = "zeros") -> dict[str, Any]:
        # One initializer object a layer: it is stateless, so layers that share one begin with equal weights.
        return {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01), "bias_initializer": bias}

    images = keras.Input(input_shape)
    x = layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1", **start())(images)
    x = own_layers.LocalResponseNormalization(name="norm1")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    x = layers.Conv2D(
        256, 5, padding="same", groups=groups, activation="relu", name="conv2", **start("ones")
    )(x)
    x = own_layers.LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3", **start())(x)
    x = layers.Conv2D(
        384, 3, padding="same", groups=groups, activation="relu", name="conv4", **start("ones")
    )(x)
    x = layers.Conv2D(
        256, 3, padding="same", groups=groups, activation="relu", name="conv5", **start("ones")
    )(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    x = layers.Flatten()(x)
    for number in (6, 7):
        x = layers.Dense(dense_units, activation="relu", name=f"fc{number}", **start("ones"))(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions", **start())(
        x
    )
    return keras.Model(images, outputs, name=name)


def alexnet_bn(input_shape: Shape, num_classes: int, *, dropout: float = 0.4) -> keras.Model:
    """Batch normalisation for local response normalisation, an 11×11 second convolution, 2×2 pools.

    Every convolution is valid, and normalisation follows activation and pooling. images: `(N, H, W, C)`.
    """
    x = images = keras.Input(input_shape)
    convolutions = (
        (96, 11, 4, True),
        (256, 11, 1, True),
        (384, 3, 1, False),
        (384, 3, 1, False),
        (256, 3, 1, True),
    )
    for number, (filters, size, strides, pooled) in enumerate(convolutions, start=1):
        x = layers.Conv2D(filters, size, strides=strides, activation="relu", name=f"conv{number}")(x)
        if pooled:
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
    x = layers.Flatten()(x)
    for number, units in enumerate((4096, 4096, 1000), start=6):
        x = layers.Dense(units, activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="alexnet_bn")


def card(summary: str, departures: str) -> Card:
    return Card(
        title="ImageNet Classification with Deep Convolutional Neural Networks",
        authors="Alex Krizhevsky, Ilya Sutskever, Geoffrey E. Hinton",
        year=2012,
        paper="doi:10.1145/3065386",
        summary=summary,
        departures=departures,
    )


def dropout_option(default: float) -> Option:
    return Option("dropout", default, "Share of values dropped after each hidden dense layer.", 0.0, 0.9)


for name, groups, summary, departures in (
    (
        "alexnet",
        1,
        "ReLU, dropout and GPUs made a deep convolutional network win ImageNet by a wide margin.",
        "One GPU's wiring: no groups. 227×227, which the paper's first layer needs, for its 224×224.",
    ),
    (
        "alexnet_grouped",
        2,
        "The published wiring: two GPUs, which see each other's maps in the third convolution only.",
        "227×227, which the paper's first layer needs, for its 224×224.",
    ),
):
    architectures.register(
        Architecture(
            name=name,
            family="AlexNet",
            build=partial(alexnet, name=name, groups=groups),
            input_shape=(227, 227, 3),
            num_classes=1000,
            min_size=67,
            card=card(summary, departures),
            options=(
                Option("dense_units", 4096, "Units of each of the two hidden dense layers.", 16, 8192),
                dropout_option(0.5),
            ),
        )
    )

architectures.register(
    Architecture(
        name="alexnet_bn",
        family="AlexNet",
        build=alexnet_bn,
        input_shape=(224, 224, 3),
        num_classes=17,
        min_size=215,
        card=card(
            "A widely used descendant with batch normalisation, first seen on 17 kinds of flowers.",
            "Batch normalisation for local response normalisation, an 11×11 second convolution, 2×2 pools, "
            "valid convolutions, a third hidden dense layer of 1000 units.",
        ),
        options=(dropout_option(0.4),),
    )
)
