"""Inception-ResNet v1 and v2: inception modules as residuals, scaled down before they are added.

Source: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", arXiv:1602.07261; the figures named are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
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
from core.architectures.inception_v4 import STEM as STEM_V4
from core.architectures.inception_v4 import reduction_a
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")


@dataclass(frozen=True)
class Blueprint:
    """An Inception-ResNet: its stem, its reductions, and the branches and counts of its residual blocks.

    last_filters: 0 ends the network with its last block, as drawn; otherwise that block is neither scaled
    nor rectified, and a 1×1 convolution with this many filters follows it.
    """

    stem: Steps
    block_a: Branches
    block_b: Branches
    block_c: Branches
    reduction_a: Branches
    reduction_b: Branches
    counts: tuple[int, int, int]
    last_filters: int = 0


def reduction_b(first: int, second: int, third: tuple[int, int]) -> Branches:
    """Figures 12 and 18: 17×17 to 8×8. The numbers are the widths that the branches end with."""
    middle, last = third
    return (
        (Conv(256), down(first)),
        (Conv(256), down(second)),
        (Conv(256), Conv(middle, 3), down(last)),
        (MAX_DOWN,),
    )


V1 = Blueprint(
    stem=(  # figure 14
        down(32),
        Conv(32, 3, padding="valid"),
        Conv(64, 3),
        MAX_DOWN,
        Conv(80),
        Conv(192, 3, padding="valid"),
        down(256),
    ),
    block_a=((Conv(32),), (Conv(32), Conv(32, 3)), (Conv(32), Conv(32, 3), Conv(32, 3))),  # figure 10
    block_b=((Conv(128),), (Conv(128), Conv(128, (1, 7)), Conv(128, (7, 1)))),  # figure 11
    block_c=((Conv(192),), (Conv(192), Conv(192, (1, 3)), Conv(192, (3, 1)))),  # figure 13
    reduction_a=reduction_a(192, 192, 256, 384),
    reduction_b=reduction_b(384, 256, (256, 256)),
    counts=(5, 10, 5),
)

V2_FIGURES = Blueprint(
    stem=STEM_V4,
    block_a=((Conv(32),), (Conv(32), Conv(32, 3)), (Conv(32), Conv(48, 3), Conv(64, 3))),  # figure 16
    block_b=((Conv(192),), (Conv(128), Conv(160, (1, 7)), Conv(192, (7, 1)))),  # figure 17
    block_c=((Conv(192),), (Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1)))),  # figure 19
    reduction_a=reduction_a(256, 256, 384, 384),
    reduction_b=reduction_b(384, 288, (288, 320)),
    counts=(5, 10, 5),
)

V2_RELEASED = replace(
    V2_FIGURES,
    stem=(
        down(32),
        Conv(32, 3, padding="valid"),
        Conv(64, 3),
        MAX_DOWN,
        Conv(80, padding="valid"),
        Conv(192, 3, padding="valid"),
        MAX_DOWN,
        (
            (Conv(96),),
            (Conv(48), Conv(64, 5)),
            (Conv(64), Conv(96, 3), Conv(96, 3)),
            (Pool("average"), Conv(64)),
        ),
    ),
    counts=(10, 20, 10),
    last_filters=1536,
)


def residual_block(x: keras.KerasTensor, branches: Branches, scale: float, name: str) -> keras.KerasTensor:
    """The input plus the scaled, linear 1×1 expansion of its concatenated branches."""
    residual = fork(x, branches, name, scaled)
    residual = layers.Conv2D(x.shape[-1], 1, name=f"{name}_expansion")(residual)
    return own_layers.ScaledResidual(scale, name=f"{name}_add")([x, residual])


def inception_resnet(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    blueprints: Mapping[str, Blueprint],
    wiring: str,
    scale_a: float = 0.17,
    scale_b: float = 0.1,
    scale_c: float = 0.2,
    dropout: float = 0.2,
) -> keras.Model:
    """Figure 15: residual blocks A at 35×35, B at 17×17 and C at 8×8, with a reduction between.

    wiring: which of the blueprints. scale_a, scale_b, scale_c: factor of the residuals in each kind of block.
    images: `(N, H, W, C)`.
    """
    plan = blueprints[wiring]
    count_a, count_b, count_c = plan.counts

    def rectified(x: keras.KerasTensor, branches: Branches, scale: float, block: str) -> keras.KerasTensor:
        return layers.Activation("relu", name=f"{block}_relu")(residual_block(x, branches, scale, block))

    images = keras.Input(input_shape)
    x = wire(images, plan.stem, "stem", scaled)
    for number in range(1, count_a + 1):
        x = rectified(x, plan.block_a, scale_a, f"a{number}")
    x = fork(x, plan.reduction_a, "reduction_a", scaled)
    for number in range(1, count_b + 1):
        x = rectified(x, plan.block_b, scale_b, f"b{number}")
    x = fork(x, plan.reduction_b, "reduction_b", scaled)
    for number in range(1, count_c + (0 if plan.last_filters else 1)):
        x = rectified(x, plan.block_c, scale_c, f"c{number}")
    if plan.last_filters:
        x = residual_block(x, plan.block_c, 1.0, f"c{count_c}")
        x = scaled(x, Conv(plan.last_filters), "last")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


def scale_option(block: str, default: float) -> Option:
    return Option(
        f"scale_{block}",
        default,
        f"Factor of the residuals in blocks {block.upper()}; the paper advises 0.1 to 0.3, 1 is unscaled.",
        0.0,
        1.0,
    )


OPTIONS = (
    scale_option("a", 0.17),
    scale_option("b", 0.1),
    scale_option("c", 0.2),
    Option("dropout", 0.2, "Share of values dropped before the classifier.", 0.0, 0.9),
)


def card(summary: str, departures: str) -> Card:
    return Card(
        title="Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
        authors="Christian Szegedy, Sergey Ioffe, Vincent Vanhoucke, Alex Alemi",
        year=2016,
        paper="arXiv:1602.07261",
        summary=summary,
        departures=departures,
    )


architectures.register(
    Architecture(
        name="inception_resnet_v1",
        family="Inception",
        build=partial(
            inception_resnet, name="inception_resnet_v1", blueprints={"figures": V1}, wiring="figures"
        ),
        input_shape=(299, 299, 3),
        num_classes=1000,
        min_size=75,
        card=card(
            "Inception modules as scaled residuals, at the cost of Inception v3.",
            "The factors of the residuals are 0.17, 0.1 and 0.2, where the paper gives the range 0.1 to 0.3.",
        ),
        options=OPTIONS,
    )
)

architectures.register(
    Architecture(
        name="inception_resnet_v2",
        family="Inception",
        build=partial(
            inception_resnet,
            name="inception_resnet_v2",
            blueprints={"released": V2_RELEASED, "figures": V2_FIGURES},
            wiring="released",
        ),
        input_shape=(299, 299, 3),
        num_classes=1000,
        min_size=75,
        card=card(
            "Inception modules as scaled residuals, at the cost of Inception v4.",
            "The authors' released model by default: the stem of v3, 10, 20 and 10 blocks where figure 15 "
            "draws 5, 10 and 5, and a last 1×1 convolution. The wiring `figures` is the drawn one, with the "
            "1152 and 2144 maps that its branches add up to for the 1154 and 2048 printed.",
        ),
        options=(
            Option(
                "wiring",
                "released",
                "The authors' released model, or the network as the paper's figures draw it.",
                choices=("released", "figures"),
            ),
            *OPTIONS,
        ),
    )
)
