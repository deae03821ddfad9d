"""Small CNNs for medical image patches: three stages of 3×3 convolutions, then one hidden dense layer.

They are baselines as they are commonly trained on PatchCamelyon, the lymph node patches of 96×96 pixels of
Veeling et al., "Rotation Equivariant CNNs for Digital Pathology", arXiv:1806.03962.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

FILTERS = (32, 64, 128)

# name: convolutions a stage, smallest input
TABLE = {
    "conv3": ((1, 1, 1), 22),
    "conv4": ((1, 2, 1), 26),
    "conv6": ((2, 2, 2), 36),
    "conv9": ((3, 3, 3), 50),
}

OPTIONS = (
    Option("head", "flatten", "Flatten the last maps, or average each (gap).", choices=("flatten", "gap")),
    Option("batch_normalization", False, "Normalise after every convolution and the hidden dense layer."),
    Option("dropout", 0.3, "Share of values dropped after each stage.", 0.0, 0.9),
    Option("dense_dropout", 0.3, "Share of values dropped after the hidden dense layer.", 0.0, 0.9),
)


def patch_cnn(
    input_shape: Shape,
    num_classes: int,
    *,
    name: str,
    convolutions: tuple[int, ...],
    head: str = "flatten",
    batch_normalization: bool = False,
    dropout: float = 0.3,
    dense_dropout: float = 0.3,
) -> keras.Model:
    """Stages of 3×3 valid convolutions with ReLU, 2×2 max pooling and dropout; Dense 64; softmax.

    convolutions: how many a stage. With batch normalisation the layers before it have no bias, which it
    would cancel. images: `(N, H, W, C)`.
    """

    def activated(x: keras.KerasTensor, layer: type, *size: int, name: str) -> keras.KerasTensor:
        x = layer(*size, use_bias=not batch_normalization, name=name)(x)
        if batch_normalization:
            x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)

    x = images = keras.Input(input_shape)
    for stage, (filters, count) in enumerate(zip(FILTERS, convolutions, strict=True), start=1):
        for index in range(1, count + 1):
            x = activated(x, layers.Conv2D, filters, 3, name=f"conv{stage}_{index}")
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
        x = layers.Dropout(dropout, name=f"dropout{stage}")(x)
    x = layers.Flatten()(x) if head == "flatten" else layers.GlobalAveragePooling2D()(x)
    x = activated(x, layers.Dense, 64, name="hidden")
    x = layers.Dropout(dense_dropout, name="hidden_dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(images, outputs, name=name)


for name, (convolutions, min_size) in TABLE.items():
    architectures.register(
        Architecture(
            name=name,
            family="Small CNN",
            build=partial(patch_cnn, name=name, convolutions=convolutions),
            input_shape=(96, 96, 3),
            num_classes=2,
            min_size=min_size,
            card=Card(
                title="Rotation Equivariant CNNs for Digital Pathology (the data set)",
                authors="Bastiaan S. Veeling, Jasper Linmans, Jim Winkens, Taco Cohen, Max Welling",
                year=2018,
                paper="arXiv:1806.03962",
                summary=f"{'-'.join(map(str, convolutions))} convolutions of 3×3 in three stages: "
                "a baseline for patches of 96×96 pixels.",
                departures="A usual baseline for the paper's data, not a model of the paper.",
            ),
            options=OPTIONS,
        )
    )
