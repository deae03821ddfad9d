"""Layers of this program: those of LeNet-5 (1998), and those that an older version saved as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.onnx_form.arithmetic import binary, scaled, unary
from core.onnx_form.graph import Graph, Tensor
from core.onnx_form.layers import windows
from core.onnx_form.registry import converts


@converts("PartiallyConnectedConv2D")
def partially_connected(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    """A convolution with zeros where no wire is."""
    maps, size = len(layer.connections), layer.size
    kernel = np.zeros((maps, x.shape[-1] or 0, size, size), "float32")
    wired = np.asarray(layer.kernel)
    for wire, (source, target) in enumerate(layer.wires):
        kernel[target, source] = wired[:, wire].reshape(size, size)
    sides, _pads = windows(x, (size, size), (1, 1), "valid")
    inputs = [x.channels_first(), graph.constant(kernel), graph.constant(np.asarray(layer.bias))]
    return Tensor(graph, (None, *sides, maps), first=graph.node("Conv", inputs))


@converts("TrainableSubsampling")
def subsampling(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    size = layer.pool_size
    sides, _pads = windows(x, size, layer.strides, "valid")
    name = graph.node(
        "AveragePool", [x.channels_first()], kernel_shape=list(size), strides=list(layer.strides)
    )
    pooled = Tensor(graph, (None, *sides, x.shape[-1]), first=name)
    return scaled(pooled, 4 * np.asarray(layer.kernel), np.asarray(layer.bias))


@converts("EuclideanRBF")
def euclidean(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    """Minus the sum of squared differences, written out as Keras computes it."""
    apart = graph.node("Unsqueeze", [x.channels_last(), graph.integers(1)])
    difference = graph.node("Sub", [apart, graph.constant(np.asarray(layer.codes))])
    total = graph.node("ReduceSumSquare", [difference, graph.integers(-1)], keepdims=0)
    return Tensor(graph, (None, layer.num_classes), graph.node("Neg", [total]))


@converts("ScaledTanh")
def scaled_tanh(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    return binary(graph, "Mul", unary("Tanh", binary(graph, "Mul", x, 2 / 3)), 1.7159)


@converts("ScaledResidual")
def scaled_residual(graph: Graph, layer: Any, values: list[Tensor], **_: Any) -> Tensor:
    inputs, residual = values
    return binary(graph, "Add", inputs, binary(graph, "Mul", residual, float(layer.scale)))


@converts("LocalResponseNormalization")
def local_response(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    squares = binary(graph, "Mul", x, x)
    kernel = graph.constant(layer.neighbours(x.shape[-1])[:, :, None, None])
    total = Tensor(graph, x.shape, first=graph.node("Conv", [squares.channels_first(), kernel]))
    divisor = binary(graph, "Pow", scaled(total, layer.alpha, layer.bias), -layer.beta)
    return binary(graph, "Mul", x, divisor)


@converts("ZeroPaddedShortcut")
def zero_padded(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    height, width, channels = x.shape[1:]
    missing = layer.filters - (channels or 0)
    before = missing // 2
    stride = graph.integers(layer.strides, layer.strides)
    ends = graph.integers(height or 0, width or 0)
    kept = graph.node("Slice", [x.channels_first(), graph.integers(0, 0), ends, graph.integers(2, 3), stride])
    pads = graph.integers(0, before, 0, 0, 0, missing - before, 0, 0)
    sides = -(-(height or 0) // layer.strides), -(-(width or 0) // layer.strides)
    return Tensor(graph, (None, *sides, layer.filters), first=graph.node("Pad", [kept, pads]))
