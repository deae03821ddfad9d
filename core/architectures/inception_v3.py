"""Inception v3: factorised convolutions and grids that shrink in two parallel branches.

Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision",
arXiv:1512.00567. The figures leave some widths open; those are the released model's, as in
keras.applications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.architectures.inception_blocks import (
    MAX_DOWN,
    Branches,
    Conv,
    Pool,
    Steps,
    down,
    fork,
    unscaled,
    wire,
)
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

STEM: Steps = (
    down(32),
    Conv(32, 3, padding="valid"),
    Conv(64, 3),
    MAX_DOWN,
    Conv(80, 1, padding="valid"),
    Conv(192, 3, padding="valid"),
    MAX_DOWN,
)


def module_35(projected: int) -> Branches:
    """Figure 5: two 3×3 for a 5×5; one 5×5 is left."""
    return (
        (Conv(64),),
        (Conv(48), Conv(64, 5)),
        (Conv(64), Conv(96, 3), Conv(96, 3)),
        (Pool("average"), Conv(projected)),
    )


def module_17(width: int) -> Branches:
    """Figure 6: 7×7 as 1×7 and 7×1, `width` maps in between."""
    return (
        (Conv(192),),
        (Conv(width), Conv(width, (1, 7)), Conv(192, (7, 1))),
        (
            Conv(width),
            Conv(width, (7, 1)),
            Conv(width, (1, 7)),
            Conv(width, (7, 1)),
            Conv(192, (1, 7)),
        ),
        (Pool("average"), Conv(192)),
    )


SPLIT_3X3: Branches = ((Conv(384, (1, 3)),), (Conv(384, (3, 1)),))

# Figure 7: the last 3×3 falls into 1×3 and 3×1 side by side.
MODULE_8: Branches = (
    (Conv(320),),
    (Conv(384), SPLIT_3X3),
    (Conv(448), Conv(384, 3), SPLIT_3X3),
    (Pool("average"), Conv(192)),
)

MODULES: dict[str, Branches] = {
    "mixed0": module_35(32),
    "mixed1": module_35(64),
    "mixed2": module_35(64),
    "mixed3": ((down(384),), (Conv(64), Conv(96, 3), down(96)), (MAX_DOWN,)),
    "mixed4": module_17(128),
    "mixed5": module_17(160),
    "mixed6": module_17(160),
    "mixed7": module_17(192),
    "mixed8": (
        (Conv(192), down(320)),
        (Conv(192), Conv(192, (1, 7)), Conv(192, (7, 1)), down(192)),
        (MAX_DOWN,),
    ),
    "mixed9": MODULE_8,
    "mixed10": MODULE_8,
}


def inception_v3(
    input_shape: Shape, num_classes: int, *, auxiliary: bool = True, dropout: float = 0.2
) -> keras.Model:
    """Three modules at 35×35, four at 17×17, two at 8×8; a batch-normalised auxiliary head at the last 17×17.

    auxiliary: train with that head; `inference_model` leaves it behind. Its 5×5 pool and its 5×5 convolution
    shrink to the map where the map is smaller. images: `(N, H, W, C)`.
    """

    def auxiliary_head(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.AveragePooling2D(min(5, *x.shape[1:3]), strides=3, name="auxiliary_pool")(x)
        x = unscaled(x, Conv(128), "auxiliary_conv1")
        size = min(5, *x.shape[1:3])
        x = unscaled(x, Conv(768, size, padding="valid"), "auxiliary_conv2")
        x = layers.GlobalAveragePooling2D(name="auxiliary_average")(x)
        return layers.Dense(num_classes, activation="softmax", dtype="float32", name="auxiliary_predictions")(
            x
        )

    images = keras.Input(input_shape)
    x = wire(images, STEM, "stem", unscaled)
    heads = []
    for name, branches in MODULES.items():
        x = fork(x, branches, name, unscaled)
        if auxiliary and name == "mixed7":
            heads.append(auxiliary_head(x))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    if auxiliary:
        return own_layers.AuxiliaryModel(images, [outputs, *heads], name="inception_v3")
    return keras.Model(images, outputs, name="inception_v3")


architectures.register(
    Architecture(
        name="inception_v3",
        family="Inception",
        build=inception_v3,
        input_shape=(299, 299, 3),
        num_classes=1000,
        min_size=75,
        card=Card(
            title="Rethinking the Inception Architecture for Computer Vision",
            authors="Christian Szegedy, Vincent Vanhoucke, Sergey Ioffe, Jonathon Shlens, Zbigniew Wojna",
            year=2015,
            paper="arXiv:1512.00567",
            summary="7×7 kernels as 1×7 and 7×1, maps that shrink by pool and convolution side by side, and "
            "label smoothing of 0.1, which is a setting of the training.",
            departures="The auxiliary head has weight 0.3, which the paper leaves open; its pool and its 5×5 "
            "convolution shrink with small maps.",
        ),
        options=(
            Option("auxiliary", True, "Train with the auxiliary classifier at weight 0.3."),
            Option("dropout", 0.2, "Share of values dropped before the classifier.", 0.0, 0.9),
        ),
    )
)
