"""Regularization of a model that somebody else wrote: L2 by kind of layer, dropout before the classifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from core.architectures import inference_model
from core.architectures.transfer import freeze_alike
from core.config import RegularizationConfig


def regularized(network: keras.Model, part: RegularizationConfig) -> keras.Model:
    """The network with what the config adds; the same network when it adds nothing.

    Weights of which the network itself says how they are regularized are left to it. The saved model carries
    nothing of L2, which matters in training alone.
    """
    if part.dropout:
        network = with_dropout(network, part.dropout)
    for weight, factor in factors(network, part):
        if factor and weight.regularizer is None:
            weight.regularizer = keras.regularizers.L2(factor)
    return network


def with_dropout(network: keras.Model, rate: float) -> keras.Model:
    """A copy of the network, with fresh weights, that drops inputs of the layer that classifies."""
    classifier = [layer for layer in inference_model(network).layers if layer.weights][-1].name

    def call(layer: keras.Layer, *inputs: Any, **others: Any) -> Any:
        if layer.name != classifier:
            return layer(*inputs, **others)
        return layer(layers.Dropout(rate, name="dropout_before_answer")(inputs[0]), *inputs[1:], **others)

    several = inference_model(network) is not network
    outputs = network.outputs if several else network.outputs[0]
    functional = keras.Model(network.inputs[0], outputs, name=network.name)
    copy = keras.models.clone_model(functional, call_function=call)
    freeze_alike(network, copy)
    return type(network)(copy.inputs[0], copy.outputs, name=network.name) if several else copy


def factors(network: keras.Model, part: RegularizationConfig) -> Iterator[tuple[keras.Variable, float]]:
    """Every weight with the factor of its kind."""
    for layer in network._flatten_layers(include_self=False):
        for weight in layer._trainable_variables:
            if "kernel" not in weight.name:
                yield weight, part.l2_rest
            elif isinstance(layer, layers.Dense):
                yield weight, part.l2_dense
            else:
                yield weight, part.l2_convolution
