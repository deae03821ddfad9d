"""ResNet v2: normalisation and ReLU before each convolution, so that the shortcut is a bare identity.

Source: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", arXiv:1603.05027; strides, biases
and counts as in keras.applications, whose weights therefore fit.
"""

from __future__ import annotations

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

TABLE = {
    "resnet50_v2": (3, 4, 6, 3),
    "resnet101_v2": (3, 4, 23, 3),
    "resnet152_v2": (3, 8, 36, 3),
}


def activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def block(
    x: keras.KerasTensor, filters: int, strides: int, name: str, *, projected: bool
) -> keras.KerasTensor:
    """A pre-activation bottleneck. Its 3×3 convolution carries the stride, and a pool thins the shortcut."""
    wide = BOTTLENECK_EXPANSION * filters
    skipped = x
    x = activated(x, f"{name}_preact")
    if projected:
        skipped = layers.Conv2D(wide, 1, strides=strides, name=f"{name}_conv0")(x)
    elif strides > 1:
        skipped = layers.MaxPooling2D(1, strides=strides, name=f"{name}_thin")(skipped)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_conv1")(x)
    x = activated(x, f"{name}_conv1")
    x = layers.ZeroPadding2D(1, name=f"{name}_conv2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=strides, use_bias=False, name=f"{name}_conv2")(x)
    x = activated(x, f"{name}_conv2")
    x = layers.Conv2D(wide, 1, name=f"{name}_conv3")(x)
    return layers.Add(name=f"{name}_add")([skipped, x])


def resnet_v2(
    input_shape: Shape, num_classes: int, *, name: str, counts: tuple[int, int, int, int]
) -> keras.Model:
    """A 7×7 convolution and a pool, four stages of pre-activation bottlenecks, a last activation, softmax.

    The last block of each of the first three stages halves the map. images: `(N, H, W, C)`.
    """
    images = keras.Input(input_shape)
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = layers.Conv2D(64, 7, strides=2, name="conv1")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (filters, count) in enumerate(zip(FILTERS, counts, strict=True), start=2):
        for index in range(1, count + 1):
            strides = 2 if stage < 5 and index == count else 1
            x = block(x, filters, strides, f"conv{stage}_block{index}", projected=index == 1)
    x = activated(x, "last")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


for name, counts in TABLE.items():
    architectures.register(
        Architecture(
            name=name,
            family="ResNet",
            build=partial(resnet_v2, name=name, counts=counts),
            input_shape=(224, 224, 3),
            num_classes=1000,
            min_size=17,
            card=Card(
                title="Identity Mappings in Deep Residual Networks",
                authors="Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
                year=2016,
                paper="arXiv:1603.05027",
                summary="Normalisation and ReLU go before each convolution: a signal passes the whole "
                "network unchanged.",
                departures="As in keras.applications: a stage's last block halves the map, not its first; "
                "the projections and the last convolution of each block have a bias.",
            ),
        )
    )
