"""GoogLeNet, the first Inception network, and its batch-normalised successor.

Sources: Szegedy et al., "Going Deeper with Convolutions", arXiv:1409.4842, table 1; Ioffe, Szegedy, "Batch
Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", arXiv:1502.03167,
figure 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.architectures.inception_blocks import Branches, Conv, Pool, fork, scaled, with_bias
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

# module: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj
GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}

# module: #1×1, #3×3 reduce, #3×3, double #3×3 reduce, double #3×3, pool, pool proj; without #1×1 the module
# has stride 2 and its pool passes through
INCEPTION_V2 = {
    "3a": (64, 64, 64, 64, 96, "average", 32),
    "3b": (64, 64, 96, 64, 96, "average", 64),
    "3c": (0, 128, 160, 64, 96, "max", 0),
    "4a": (224, 64, 96, 96, 128, "average", 128),
    "4b": (192, 96, 128, 96, 128, "average", 128),
    "4c": (160, 128, 160, 128, 160, "average", 128),
    "4d": (96, 128, 192, 160, 192, "average", 128),
    "4e": (0, 128, 192, 192, 256, "max", 0),
    "5a": (352, 192, 320, 160, 224, "average", 128),
    "5b": (352, 192, 320, 192, 224, "max", 128),
}


def googlenet(
    input_shape: Shape, num_classes: int, *, auxiliary: bool = True, dropout: float = 0.4
) -> keras.Model:
    """Nine inception modules behind two convolutions, with auxiliary classifiers at 4a and 4d.

    auxiliary: train with those two; `inference_model` leaves them behind. Their 5×5 pool of stride 3 shrinks
    to the map where the map is smaller. images: `(N, H, W, C)`.
    """

    def auxiliary_head(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = layers.AveragePooling2D(min(5, *x.shape[1:3]), strides=3, name=f"{name}_pool")(x)
        x = with_bias(x, Conv(128), f"{name}_conv")
        x = layers.Flatten(name=f"{name}_flatten")(x)
        x = layers.Dense(1024, activation="relu", name=f"{name}_hidden")(x)
        x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
        return layers.Dense(num_classes, activation="softmax", dtype="float32", name=f"{name}_predictions")(x)

    images = keras.Input(input_shape)
    x = with_bias(images, Conv(64, 7, strides=2), "conv1")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = own_layers.LocalResponseNormalization(name="norm1")(x)
    x = with_bias(x, Conv(64), "conv2_reduce")
    x = with_bias(x, Conv(192, 3), "conv2")
    x = own_layers.LocalResponseNormalization(name="norm2")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)
    heads = []
    for module, (one, reduce3, three, reduce5, five, projected) in GOOGLENET.items():
        branches: Branches = (
            (Conv(one),),
            (Conv(reduce3), Conv(three, 3)),
            (Conv(reduce5), Conv(five, 5)),
            (Pool("max"), Conv(projected)),
        )
        x = fork(x, branches, f"inception_{module}", with_bias)
        if module in ("3b", "4e"):
            x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{module[0]}")(x)
        elif auxiliary and module in ("4a", "4d"):
            heads.append(auxiliary_head(x, f"auxiliary_{module}"))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    if auxiliary:
        return own_layers.AuxiliaryModel(images, [outputs, *heads], name="googlenet")
    return keras.Model(images, outputs, name="googlenet")


def inception_v2(input_shape: Shape, num_classes: int) -> keras.Model:
    """Ten modules with two 3×3 convolutions for each 5×5, batch normalisation after every convolution.

    The first convolution is depthwise separable with multiplier 8. Modules 4c and 4d give the 608 maps that
    their printed widths add up to, where the table's output column says 576. images: `(N, H, W, C)`.
    """
    images = keras.Input(input_shape)
    x = layers.SeparableConv2D(
        64, 7, strides=2, padding="same", depth_multiplier=8, use_bias=False, name="conv1"
    )(images)
    x = layers.BatchNormalization(epsilon=1e-3, name="conv1_bn")(x)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = scaled(x, Conv(64), "conv2_reduce")
    x = scaled(x, Conv(192, 3), "conv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)
    for module, (one, reduce3, three, reduce_double, double, pool, projected) in INCEPTION_V2.items():
        strides = 1 if one else 2
        branches: Branches = (
            (Conv(reduce3), Conv(three, 3, strides)),
            (Conv(reduce_double), Conv(double, 3), Conv(double, 3, strides)),
            (Pool(pool, strides), Conv(projected)) if projected else (Pool(pool, strides),),
        )
        if one:
            branches = ((Conv(one),), *branches)
        x = fork(x, branches, f"inception_{module}", scaled)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="inception_v2")


architectures.register(
    Architecture(
        name="googlenet",
        family="Inception",
        build=googlenet,
        input_shape=(224, 224, 3),
        num_classes=1000,
        min_size=17,
        card=Card(
            title="Going Deeper with Convolutions",
            authors="Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, "
            "Dragomir Anguelov, Dumitru Erhan, Vincent Vanhoucke, Andrew Rabinovich",
            year=2014,
            paper="arXiv:1409.4842",
            summary="Kernels of several sizes side by side, made cheap by 1×1 convolutions before them: a "
            "twelfth of AlexNet's parameters and half its error.",
            departures="The auxiliary classifiers' pool shrinks to the map at inputs below 65×65.",
        ),
        options=(
            Option("auxiliary", True, "Train with the two auxiliary classifiers, each at weight 0.3."),
            Option("dropout", 0.4, "Share of values dropped before the classifier.", 0.0, 0.9),
        ),
    )
)

architectures.register(
    Architecture(
        name="inception_v2",
        family="Inception",
        build=inception_v2,
        input_shape=(224, 224, 3),
        num_classes=1000,
        min_size=17,
        card=Card(
            title="Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate "
            "Shift",
            authors="Sergey Ioffe, Christian Szegedy",
            year=2015,
            paper="arXiv:1502.03167",
            summary="Batch normalisation everywhere, and two 3×3 convolutions for each 5×5.",
            departures="Modules 4c and 4d give 608 maps, to which the printed widths of their branches "
            "add up, where the output column of the paper's table says 576.",
        ),
    )
)
