"""Writes a Keras model as an ONNX graph, layer by layer.

Keras' own export goes through TensorFlow's graph: it takes 3 s for LeNet-5 and a minute for ResNet-50, writes
grouped convolutions that no runtime accepts, and needs TensorFlow where JAX trains. This one takes the layers
as they are, and whoever uses it compares the answers (`core.onnx_form.check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import onnx

from core.onnx_form import arithmetic, layers, own_layers  # noqa: F401  # they register what can be converted
from core.onnx_form.graph import Graph, NotConvertible, Tensor
from core.onnx_form.registry import converter_of
from core.onnx_form.session import INPUT


def to_onnx(model: keras.Model, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Return a classifier as an ONNX model.

    Args:
        model: takes a batch of images `(N, H, W, C)` of 0-255, answers probabilities `(N, classes)`, or
            `(N, 1)` that of the second of two classes. Functional or sequential.
        metadata: texts that the file is to hold.

    Returns:
        A model of the same function: uint8 `images` `(N, H, W, C)` to float32 `probabilities` `(N, classes)`.

    Raises:
        NotConvertible: it has a layer that cannot be converted.
    """
    (images,) = model.inputs
    graph = Graph()
    pixels = Tensor(graph, (None, *images.shape[1:]), last=graph.node("Cast", [INPUT], to=1))
    answer = _converted(graph, model, pixels)
    if answer.shape[-1] == 1:
        second = answer.channels_last()
        first = graph.node("Sub", [graph.constant(1.0), second])
        answer = Tensor(graph, (None, 2), graph.node("Concat", [first, second], axis=1))
    return graph.model(tuple(images.shape[1:]), answer, dict(metadata or {}))


def _converted(graph: Graph, model: keras.Model, inputs: Any) -> Any:
    """Add the nodes of a model, those of models nested in it included; returns its output."""
    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "_run_through_graph"):
        raise NotConvertible(f"the model {model.name} is no functional model")

    def converting(operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return lambda *args, **_: _converted(graph, operation, *args)
        convert = converter_of(operation)
        return lambda *args, **kwargs: convert(graph, operation, *args, **kwargs)

    return model._run_through_graph(inputs, operation_fn=converting)
