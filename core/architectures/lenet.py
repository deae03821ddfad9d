"""LeNet: the convolutional net that read cheques.

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
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")


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


architectures.register(
    Architecture(
        name="lenet5",
        family="LeNet",
        build=lenet5,
        input_shape=(28, 28, 1),
        num_classes=10,
        min_size=16,
        card=Card(
            title="Gradient-Based Learning Applied to Document Recognition",
            authors="Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner",
            year=1998,
            paper="doi:10.1109/5.726791",
            summary="Convolution, subsampling and fully connected layers trained together, in today's form.",
            departures="ReLU for tanh, max pooling for trainable subsampling, a fully wired C3, softmax.",
        ),
    )
)
