"""LeNet, the convolutional network that read cheques: as published and in today's form.

Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86(11), 1998.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

# Table I of the paper: which of the six maps of S2 each of the sixteen maps of C3 reads.
C3_CONNECTIONS = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


def lenet5(input_shape: Shape, num_classes: int) -> keras.Model:
    """The modern form: ReLU, max pooling, a full third layer, softmax. images: `(N, H, W, C)`."""
    images = keras.Input(input_shape)
    x = layers.Conv2D(6, 5, activation="relu", name="c1")(images)
    x = layers.MaxPooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="relu", name="c3")(x)
    x = layers.MaxPooling2D(2, name="s4")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(120, activation="relu", name="c5")(x)
    x = layers.Dense(84, activation="relu", name="f6")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="lenet5")


def lenet5_1998(input_shape: Shape, num_classes: int) -> keras.Model:
    """The published network: trainable subsampling, a partly wired C3, tanh units, radial basis outputs.

    C5 is a convolution, so at inputs above 32×32 it gives more than one position; F6 then reads them all.
    images: `(N, H, W, C)`.
    """

    def start(fan_in: int) -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(-2.4 / fan_in, 2.4 / fan_in)

    images = keras.Input(input_shape)
    fan_in = 25 * input_shape[-1]
    x = layers.Conv2D(6, 5, kernel_initializer=start(fan_in), name="c1")(images)
    x = own_layers.ScaledTanh(name="c1_squash")(x)
    x = own_layers.TrainableSubsampling(name="s2")(x)
    x = own_layers.ScaledTanh(name="s2_squash")(x)
    x = own_layers.PartiallyConnectedConv2D(C3_CONNECTIONS, 5, name="c3")(x)
    x = own_layers.ScaledTanh(name="c3_squash")(x)
    x = own_layers.TrainableSubsampling(name="s4")(x)
    x = own_layers.ScaledTanh(name="s4_squash")(x)
    x = layers.Conv2D(120, 5, kernel_initializer=start(25 * 16), name="c5")(x)
    x = own_layers.ScaledTanh(name="c5_squash")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(84, kernel_initializer=start(x.shape[-1]), name="f6")(x)
    x = own_layers.ScaledTanh(name="f6_squash")(x)
    x = own_layers.EuclideanRBF(num_classes, dtype="float32", name="rbf")(x)
    outputs = layers.Softmax(dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="lenet5_1998")


def card(summary: str, departures: str) -> Card:
    return Card(
        title="Gradient-Based Learning Applied to Document Recognition",
        authors="Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner",
        year=1998,
        paper="doi:10.1109/5.726791",
        summary=summary,
        departures=departures,
    )


architectures.register(
    Architecture(
        name="lenet5",
        family="LeNet",
        build=lenet5,
        input_shape=(28, 28, 1),
        num_classes=10,
        min_size=16,
        card=card(
            "Convolution, subsampling and fully connected layers trained together, in today's form.",
            "ReLU for tanh, max pooling for trainable subsampling, a fully wired C3, softmax.",
        ),
    )
)

architectures.register(
    Architecture(
        name="lenet5_1998",
        family="LeNet",
        build=lenet5_1998,
        input_shape=(32, 32, 1),
        num_classes=10,
        min_size=32,
        card=card(
            "Convolution, subsampling and fully connected layers trained together, as published: 60,000 "
            "trainable numbers and outputs that measure the distance to a bitmap of each digit.",
            "Outputs are the softmax of the negative distances, so that cross entropy is the loss. The "
            "bitmaps are drawn anew; other numbers of classes get fixed random codes in their place.",
        ),
    )
)
