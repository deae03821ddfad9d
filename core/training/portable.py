"""A model as others load it: layers that Keras lacks written in layers that it has.

`keras.models.load_model` knows Keras' own layers alone. Layers of this program without weights have an
equivalent in those, so a saved model needs nothing but Keras. A layer with weights of its own keeps its
class, and whoever loads the model must import it first; `foreign_layers` names these.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from core.architectures.layers import (
    LocalResponseNormalization,
    ScaledResidual,
    ScaledTanh,
    ZeroPaddedShortcut,
)


def portable(model: keras.Model) -> keras.Model:
    """Return a copy of a functional model in Keras' own layers; the model itself where it has no others.

    The copy has the same weights under the same layer names and gives the same answers. What is rewritten
    computes in 32 bits, as squares overflow 16.
    """
    if not foreign_layers(model):
        return model
    copies: list[tuple[keras.Layer, keras.Layer]] = []

    def copied(layer: keras.Layer) -> keras.Layer:
        copy = layer.__class__.from_config(layer.get_config())
        copies.append((layer, copy))
        return copy

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        result = keras.models.clone_model(model, clone_function=copied, call_function=_called, recursive=True)
    finally:
        keras.config.set_dtype_policy(policy)
    for layer, copy in copies:
        if getattr(layer, "weights", None):
            copy.set_weights(layer.get_weights())
    finalize(result)
    return result


def finalize(model: keras.Model) -> None:
    """Let layers work out what they compute with from weights that were set, as loading from disk does.

    `Normalization` subtracts a mean of its own making, which `set_weights` leaves as it was.
    """
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def foreign_layers(model: keras.Model) -> list[type]:
    """The classes of layers in a model and those nested in it that do not come with Keras, each once."""
    classes = {type(layer): None for layer in model._flatten_layers(include_self=False)}
    return [kind for kind in classes if not kind.__module__.startswith("keras.")]


def _called(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
    match layer:
        case ZeroPaddedShortcut():
            return _zero_padded(layer, *args)
        case LocalResponseNormalization():
            return _normalized(layer, *args)
        case ScaledResidual():
            inputs, residual = args[0]
            scaled = layers.Rescaling(layer.scale, name=f"{layer.name}_scale")(residual)
            return layers.Add(name=layer.name)([inputs, scaled])
        case ScaledTanh():
            bend = layers.Activation("tanh", name=f"{layer.name}_tanh")(
                layers.Rescaling(2 / 3, name=f"{layer.name}_in")(*args)
            )
            return layers.Rescaling(1.7159, name=layer.name)(bend)
    return layer(*args, **kwargs)


def _zero_padded(layer: ZeroPaddedShortcut, images: keras.KerasTensor) -> keras.KerasTensor:
    """Pooling over one pixel keeps every `strides`-th; the channels are padded as if they were columns."""
    x = layers.MaxPooling2D(1, strides=layer.strides, name=f"{layer.name}_stride")(images)
    height, width, channels = x.shape[1:]
    missing = layer.filters - channels
    before = missing // 2
    x = layers.Reshape((height * width, channels, 1), name=f"{layer.name}_columns")(x)
    x = layers.ZeroPadding2D(((0, 0), (before, missing - before)), name=f"{layer.name}_pad")(x)
    return layers.Reshape((height, width, layer.filters), name=layer.name)(x)


def _normalized(layer: LocalResponseNormalization, images: keras.KerasTensor) -> keras.KerasTensor:
    """The sum over neighbouring channels is a product with a matrix of ones around the diagonal.

    The matrix is a constant of the graph; pooling along the channels would take three times as long.
    """
    squares = layers.Multiply(name=f"{layer.name}_squares")([images, images])
    total = ops.matmul(squares, layer.neighbours(images.shape[-1]))
    x = layers.Rescaling(layer.alpha, offset=layer.bias, name=f"{layer.name}_total")(total)
    return layers.Multiply(name=layer.name)([images, ops.power(x, -layer.beta)])
