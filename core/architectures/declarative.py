"""A model written as a list of layers, without code (`core.architectures.layer_list`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.architectures.layer_list import HEADS, LAYERS, ListedLayer, check_layers, read_layers
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

MAX_CHARACTERS = 6000  # the limit of an MLflow parameter

EXAMPLE = """\
- conv: {filters: 32, size: 3, padding: same, activation: relu}
- pool: 2
- conv: {filters: 64, size: 3, padding: same, activation: relu}
- pool: 2
- flatten
- dense: {units: 128, activation: relu}
- dropout: 0.5
- softmax
"""


HELP = (
    "A YAML list of layers, the last one softmax or sigmoid. "
    + " · ".join(
        f"**{kind}** {', '.join(option.name for option in options)}" for kind, options in LAYERS.items()
    ).replace("_", r"\_")
    + "."
)


def declarative(input_shape: Shape, num_classes: int, *, layers: str = EXAMPLE) -> keras.Model:
    """Build the layers one after another. Raises ValueError where a layer does not fit its input."""
    listed = read_layers(layers)
    check_layers(listed, input_shape, num_classes)
    x = images = keras.Input(input_shape)
    for layer in listed:
        x = keras_layer(layer, num_classes)(x)
    return keras.Model(images, x, name="declarative")


def keras_layer(layer: ListedLayer, num_classes: int) -> keras.layers.Layer:
    """Return the Keras layer of an item, named by its position in the list."""
    given = layer.settings
    name = "predictions" if layer.kind in HEADS else f"{layer.kind}{layer.position}"
    match layer.kind:
        case "conv":
            return layers.Conv2D(
                given["filters"],
                given["size"],
                strides=given["strides"],
                padding=given["padding"],
                activation=given["activation"],
                **weights(given),
                name=name,
            )
        case "pool":
            pool = layers.MaxPooling2D if given["kind"] == "max" else layers.AveragePooling2D
            return pool(given["size"], given["strides"] or None, given["padding"], name=name)
        case "dense":
            return layers.Dense(given["units"], given["activation"], **weights(given), name=name)
        case "softmax" | "sigmoid":
            units = num_classes if layer.kind == "softmax" else 1
            return layers.Dense(units, layer.kind, **weights(given), dtype="float32", name=name)
        case "batch_norm":
            return layers.BatchNormalization(**given, name=name)
        case "lrn":
            return own_layers.LocalResponseNormalization(**given, name=name)
        case "activation":
            return layers.Activation(**given, name=name)
        case "dropout":
            return layers.Dropout(**given, name=name)
        case "flatten":
            return layers.Flatten(name=name)
        case _:
            return layers.GlobalAveragePooling2D(name=name)


def weights(given: Mapping[str, Any]) -> dict[str, Any]:
    """How the weights of a convolution or dense layer start and are held small, as Keras' arguments."""
    initializer = given["initializer"]
    if initializer in ("truncated_normal", "random_normal"):
        initializer = keras.initializers.get(
            {"class_name": initializer, "config": {"stddev": given["stddev"]}}
        )
    return {
        "use_bias": given.get("bias", True),
        "kernel_initializer": initializer,
        "bias_initializer": keras.initializers.Constant(given.get("bias_start", 0.0)),
        "kernel_regularizer": keras.regularizers.L2(given["l2"]) if given["l2"] else None,
    }


def check(input_shape: Shape, num_classes: int, *, layers: str) -> None:
    """Raise ValueError, naming line and layer, when such images cannot pass through such a list."""
    check_layers(read_layers(layers), input_shape, num_classes)


architectures.register(
    Architecture(
        name="declarative",
        family="Your own",
        build=declarative,
        input_shape=(28, 28, 1),
        num_classes=10,
        min_size=4,
        card=Card(
            title="A model written as a list of layers",
            authors="Whoever writes it",
            year=2026,
            paper="none",
            summary="Layers one after another, a line each, written in the form: no code is needed or run.",
        ),
        options=(Option("layers", EXAMPLE, HELP, max_length=MAX_CHARACTERS),),
        check=check,
    )
)
