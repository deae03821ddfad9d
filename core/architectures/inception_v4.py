"""Inception v4: inception modules only, redesigned without the constraints of earlier versions.

Source: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", arXiv:1602.07261; the figures named are the paper's.
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
    scaled,
    wire,
)
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

STEM: Steps = (  # figure 3
    down(32),
    Conv(32, 3, padding="valid"),
    Conv(64, 3),
    ((MAX_DOWN,), (down(96),)),
    (
        (Conv(64), Conv(96, 3, padding="valid")),
        (Conv(64), Conv(64, (7, 1)), Conv(64, (1, 7)), Conv(96, 3, padding="valid")),
    ),
    ((down(192),), (MAX_DOWN,)),
)


def reduction_a(k: int, l: int, m: int, n: int) -> Branches:  # noqa: E741  (the paper's letters)
    """Figure 7: 35×35 to 17×17, with the widths of table 1."""
    return (down(n),), (Conv(k), Conv(l, 3), down(m)), (MAX_DOWN,)


A: Branches = (  # figure 4
    (Pool("average"), Conv(96)),
    (Conv(96),),
    (Conv(64), Conv(96, 3)),
    (Conv(64), Conv(96, 3), Conv(96, 3)),
)
B: Branches = (  # figure 5
    (Pool("average"), Conv(128)),
    (Conv(384),),
    (Conv(192), Conv(224, (1, 7)), Conv(256, (7, 1))),
    (Conv(192), Conv(192, (1, 7)), Conv(224, (7, 1)), Conv(224, (1, 7)), Conv(256, (7, 1))),
)
C: Branches = (  # figure 6
    (Pool("average"), Conv(256)),
    (Conv(256),),
    (Conv(384), ((Conv(256, (1, 3)),), (Conv(256, (3, 1)),))),
    (Conv(384), Conv(448, (1, 3)), Conv(512, (3, 1)), ((Conv(256, (3, 1)),), (Conv(256, (1, 3)),))),
)
REDUCTION_B: Branches = (  # figure 8
    (MAX_DOWN,),
    (Conv(192), down(192)),
    (Conv(256), Conv(256, (1, 7)), Conv(320, (7, 1)), down(320)),
)

MODULES: dict[str, Branches] = {
    **{f"a{number}": A for number in range(1, 5)},
    "reduction_a": reduction_a(192, 224, 256, 384),
    **{f"b{number}": B for number in range(1, 8)},
    "reduction_b": REDUCTION_B,
    **{f"c{number}": C for number in range(1, 4)},
}


def inception_v4(input_shape: Shape, num_classes: int, *, dropout: float = 0.2) -> keras.Model:
    """Figure 9: four modules at 35×35, seven at 17×17, three at 8×8. images: `(N, H, W, C)`."""
    images = keras.Input(input_shape)
    x = wire(images, STEM, "stem", scaled)
    for name, branches in MODULES.items():
        x = fork(x, branches, name, scaled)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name="inception_v4")


architectures.register(
    Architecture(
        name="inception_v4",
        family="Inception",
        build=inception_v4,
        input_shape=(299, 299, 3),
        num_classes=1000,
        min_size=75,
        card=Card(
            title="Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
            authors="Christian Szegedy, Sergey Ioffe, Vincent Vanhoucke, Alex Alemi",
            year=2016,
            paper="arXiv:1602.07261",
            summary="Uniform inception modules, more of them, behind a stem that forks three times.",
        ),
        options=(Option("dropout", 0.2, "Share of values dropped before the classifier.", 0.0, 0.9),),
    )
)
