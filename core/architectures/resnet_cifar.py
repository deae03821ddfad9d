"""Residual and plain networks for 32×32 images, of any depth.

Sources: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, section 4.2
(`resnet_cifar`, `plain_cifar`: depth 6n+2), and "Identity Mappings in Deep Residual Networks",
arXiv:1603.05027 (`resnet_cifar_v2`: depth 9n+2).
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

FILTERS = (16, 32, 64)
BOTTLENECK_EXPANSION = 4

CONV_BIAS = Option("conv_bias", False, "Give the convolutions a bias, though a normalisation follows.")
SHORTCUT = Option(
    "shortcut",
    "identity",
    "Where a stage begins: zero-padded identity (no parameter) or 1×1 projection.",
    choices=("identity", "projection"),
)


def convolution(
    x: keras.KerasTensor, filters: int, size: int, strides: int, name: str, *, bias: bool
) -> keras.KerasTensor:
    """Apply a same-padded convolution with He initialization. x: `(N, H, W, C)`."""
    return layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def resnet_cifar(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    residual: bool,
    depth: int = 20,
    shortcut: str = "identity",
    conv_bias: bool = False,
) -> keras.Model:
    """A 3×3 convolution, three stages of `(depth - 2) / 6` basic blocks, global average pooling, softmax.

    residual: False leaves the shortcuts out, which is the plain network of the degradation experiment.
    images: `(N, H, W, C)`.
    """
    conv = partial(convolution, bias=conv_bias)

    def block(x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
        skipped = x
        x = conv(x, filters, 3, strides, f"{name}_conv1")
        x = layers.BatchNormalization(name=f"{name}_bn1")(x)
        x = layers.Activation("relu", name=f"{name}_relu1")(x)
        x = conv(x, filters, 3, 1, f"{name}_conv2")
        x = layers.BatchNormalization(name=f"{name}_bn2")(x)
        if residual:
            if skipped.shape[-1] != filters and shortcut == "projection":
                skipped = conv(skipped, filters, 1, strides, f"{name}_projection")
            elif skipped.shape[-1] != filters:
                skipped = own_layers.ZeroPaddedShortcut(filters, strides, name=f"{name}_shortcut")(skipped)
            x = layers.Add(name=f"{name}_add")([x, skipped])
        return layers.Activation("relu", name=f"{name}_relu2")(x)

    images = keras.Input(input_shape)
    x = conv(images, FILTERS[0], 3, 1, "conv")
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Activation("relu", name="relu")(x)
    for stage, filters in enumerate(FILTERS, start=1):
        for index in range(1, (depth - 2) // 6 + 1):
            strides = 2 if stage > 1 and index == 1 else 1
            x = block(x, filters, strides, f"stage{stage}_block{index}")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


def resnet_cifar_v2(
    input_shape: Shape, num_classes: int, *, depth: int = 164, conv_bias: bool = False
) -> keras.Model:
    """Three stages of `(depth - 2) / 9` pre-activation bottlenecks of 64, 128 and 256 channels.

    Where a stage begins, the activated input feeds both the block and its 1×1 projection; everywhere else the
    shortcut is the bare identity. images: `(N, H, W, C)`.
    """
    conv = partial(convolution, bias=conv_bias)

    def activated(x: keras.KerasTensor, name: str, number: str = "") -> keras.KerasTensor:
        x = layers.BatchNormalization(name=f"{name}bn{number}")(x)
        return layers.Activation("relu", name=f"{name}relu{number}")(x)

    def block(x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
        wide = BOTTLENECK_EXPANSION * filters
        skipped = x
        x = activated(x, f"{name}_", "1")
        if skipped.shape[-1] != wide:
            skipped = conv(x, wide, 1, strides, f"{name}_projection")
        x = conv(x, filters, 1, strides, f"{name}_conv1")
        x = conv(activated(x, f"{name}_", "2"), filters, 3, 1, f"{name}_conv2")
        x = conv(activated(x, f"{name}_", "3"), wide, 1, 1, f"{name}_conv3")
        return layers.Add(name=f"{name}_add")([x, skipped])

    images = keras.Input(input_shape)
    x = conv(images, FILTERS[0], 3, 1, "conv")
    for stage, filters in enumerate(FILTERS, start=1):
        for index in range(1, (depth - 2) // 9 + 1):
            strides = 2 if stage > 1 and index == 1 else 1
            x = block(x, filters, strides, f"stage{stage}_block{index}")
    x = layers.GlobalAveragePooling2D(name="average")(activated(x, ""))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="resnet_cifar_v2")


AUTHORS = "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun"
DEPTH = Option("depth", 20, "Layers with weights: 6n+2, n basic blocks a stage.", 8, 1202, step=6)

for name, residual, summary, options in (
    (
        "resnet_cifar",
        True,
        "Blocks of two 3×3 convolutions add what they compute to their input, so depth stops hurting.",
        (DEPTH, SHORTCUT, CONV_BIAS),
    ),
    (
        "plain_cifar",
        False,
        "The same layers without shortcuts: deeper becomes worse on the training set itself.",
        (DEPTH, CONV_BIAS),
    ),
):
    architectures.register(
        Architecture(
            name=name,
            family="ResNet",
            build=partial(resnet_cifar, name=name, residual=residual),
            input_shape=(32, 32, 3),
            num_classes=10,
            min_size=3,
            card=Card(
                title="Deep Residual Learning for Image Recognition",
                authors=AUTHORS,
                year=2015,
                paper="arXiv:1512.03385",
                summary=summary,
                departures="None in the layers. The paper's weight decay of 0.0001 is part of the gradient; "
                "the optimizer's own is decoupled from it, and about 0.001 comes near.",
            ),
            options=options,
        )
    )

architectures.register(
    Architecture(
        name="resnet_cifar_v2",
        family="ResNet",
        build=resnet_cifar_v2,
        input_shape=(32, 32, 3),
        num_classes=10,
        min_size=3,
        card=Card(
            title="Identity Mappings in Deep Residual Networks",
            authors=AUTHORS,
            year=2016,
            paper="arXiv:1603.05027",
            summary="Normalisation and ReLU go before each convolution, so the shortcut is a bare identity.",
            departures="None in the layers. The paper's weight decay of 0.0001 is part of the gradient; "
            "the optimizer's own is decoupled from it, and about 0.001 comes near.",
        ),
        options=(
            Option("depth", 164, "Layers with weights: 9n+2, n bottlenecks a stage.", 11, 1001, step=9),
            CONV_BIAS,
        ),
    )
)
