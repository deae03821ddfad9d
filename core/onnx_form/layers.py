"""Layers of Keras: convolutions, pooling, dense layers, normalization, shapes, preprocessing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from core.onnx_form.arithmetic import activated, binary, scaled
from core.onnx_form.graph import Graph, NotConvertible, Tensor
from core.onnx_form.registry import converts

PADDINGS = ("valid", "same")
RESIZING = {"bilinear": "linear", "nearest": "nearest"}


def weight(graph: Graph, layer: Any, name: str, turn: tuple[int, ...] = ()) -> str:
    """Add a weight of a layer, once for all calls of the layer. turn: the order of its axes."""
    value = np.asarray(getattr(layer, name))
    return graph.constant(value.transpose(turn) if turn else value, (id(layer), name))


def windows(
    x: Tensor,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int] = (1, 1),
) -> tuple[tuple[int, int], list[int]]:
    """Return the height and width that windows over a tensor give, and the padding as ONNX writes it."""
    if padding not in PADDINGS:
        raise NotConvertible(f"a layer pads by the rule '{padding}'")
    sides, before, after = [], [], []
    for side, window, stride, apart in zip(x.shape[1:3], size, strides, dilation, strict=True):
        if side is None:
            raise NotConvertible("the size of the images is not fixed")
        span = (window - 1) * apart + 1
        if padding == "same":
            count = -(-side // stride)
            missing = max((count - 1) * stride + span - side, 0)
        else:
            count, missing = (side - span) // stride + 1, 0
        sides.append(count)
        before.append(missing // 2)
        after.append(missing - missing // 2)
    return (sides[0], sides[1]), before + after


def convolved(
    graph: Graph, layer: Any, x: Tensor, kernel: str, channels: int, groups: int, bias: str | None
) -> Tensor:
    """Add a convolution with the window of a layer. kernel: `(out, in / groups, height, width)`."""
    sides, pads = windows(x, layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate)
    name = graph.node(
        "Conv",
        [x.channels_first(), kernel, *([bias] if bias else [])],
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=groups,
        pads=pads,
    )
    return Tensor(graph, (None, *sides, channels), first=name)


@converts("Conv2D")
def conv2d(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    kernel = weight(graph, layer, "kernel", (3, 2, 0, 1))
    bias = weight(graph, layer, "bias") if layer.use_bias else None
    return activated(convolved(graph, layer, x, kernel, layer.filters, layer.groups, bias), layer.activation)


@converts("DepthwiseConv2D")
def depthwise(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    channels = x.shape[-1] or 0
    kernel = _depthwise_kernel(graph, layer, layer.kernel)
    bias = weight(graph, layer, "bias") if layer.use_bias else None
    made = convolved(graph, layer, x, kernel, channels * layer.depth_multiplier, channels, bias)
    return activated(made, layer.activation)


@converts("SeparableConv2D")
def separable(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    channels = x.shape[-1] or 0
    kernel = _depthwise_kernel(graph, layer, layer.depthwise_kernel)
    made = convolved(graph, layer, x, kernel, channels * layer.depth_multiplier, channels, None)
    pointwise = weight(graph, layer, "pointwise_kernel", (3, 2, 0, 1))
    inputs = [made.channels_first(), pointwise, *([weight(graph, layer, "bias")] if layer.use_bias else [])]
    shape = (*made.shape[:3], layer.filters)
    return activated(Tensor(graph, shape, first=graph.node("Conv", inputs)), layer.activation)


def _depthwise_kernel(graph: Graph, layer: Any, kernel: Any) -> str:
    """From `(height, width, channels, multiplier)` to one kernel for each output."""
    array = np.asarray(kernel)
    height, width, *_ = array.shape
    return graph.constant(array.transpose(2, 3, 0, 1).reshape(-1, 1, height, width), (id(layer), "depthwise"))


@converts("Dense")
def dense(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    shape = (*x.shape[:-1], layer.units)
    kernel = weight(graph, layer, "kernel")
    if len(x.shape) == 2 and layer.use_bias:
        name = graph.node("Gemm", [x.channels_last(), kernel, weight(graph, layer, "bias")])
    else:
        name = graph.node("MatMul", [x.channels_last(), kernel])
        if layer.use_bias:
            name = graph.node("Add", [name, weight(graph, layer, "bias")])
    return activated(Tensor(graph, shape, name), layer.activation)


@converts("MaxPooling2D", "AveragePooling2D")
def pooling(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    sides, pads = windows(x, layer.pool_size, layer.strides, layer.padding)
    is_mean = type(layer).__name__ == "AveragePooling2D"
    name = graph.node(
        "AveragePool" if is_mean else "MaxPool",
        [x.channels_first()],
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=pads,
        **({"count_include_pad": 0} if is_mean else {}),
    )
    return Tensor(graph, (None, *sides, x.shape[-1]), first=name)


@converts("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def global_pooling(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    kind = "ReduceMean" if type(layer).__name__ == "GlobalAveragePooling2D" else "ReduceMax"
    keepdims = bool(layer.keepdims)
    name = graph.node(kind, [x.channels_first(), graph.integers(2, 3)], keepdims=int(keepdims))
    if keepdims:
        return Tensor(graph, (None, 1, 1, x.shape[-1]), first=name)
    return Tensor(graph, (None, x.shape[-1]), name)


@converts("BatchNormalization")
def batch_normalization(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    if layer.axis not in (-1, len(x.shape) - 1):
        raise NotConvertible(f"the layer '{layer.name}' normalizes another axis than the channels")
    variance = np.asarray(layer.moving_variance)
    one, zero = np.ones_like(variance), np.zeros_like(variance)
    gamma = np.asarray(layer.gamma) if layer.scale else one
    beta = np.asarray(layer.beta) if layer.center else zero
    inputs = [
        graph.constant(gamma, (id(layer), "gamma")),
        graph.constant(beta, (id(layer), "beta")),
        weight(graph, layer, "moving_mean"),
        weight(graph, layer, "moving_variance"),
    ]
    is_image = len(x.shape) == 4
    source = x.channels_first() if is_image else x.channels_last()
    name = graph.node("BatchNormalization", [source, *inputs], epsilon=float(layer.epsilon))
    return Tensor(graph, x.shape, first=name) if is_image else Tensor(graph, x.shape, name)


@converts("LayerNormalization")
def layer_normalization(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    axis = layer.axis if isinstance(layer.axis, int) else next(iter(layer.axis))
    if axis not in (-1, len(x.shape) - 1) or not layer.scale:
        raise NotConvertible(f"the layer '{layer.name}' normalizes another axis than the last")
    inputs = [x.channels_last(), weight(graph, layer, "gamma")]
    inputs += [weight(graph, layer, "beta")] if layer.center else []
    name = graph.node("LayerNormalization", inputs, axis=-1, epsilon=float(layer.epsilon))
    return Tensor(graph, x.shape, name)


@converts("Normalization")
def normalization(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # as Keras bounds it
    if layer.invert:
        raise NotConvertible(f"the layer '{layer.name}' inverts a normalization")
    return binary(graph, "Div", binary(graph, "Sub", x, mean), deviation)


@converts("Rescaling")
def rescaling(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    return scaled(x, np.asarray(layer.scale, "float32"), np.asarray(layer.offset, "float32"))


@converts("Resizing")
def resizing(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    plain = not (
        layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or getattr(layer, "antialias", False)
    )
    if layer.interpolation not in RESIZING or not plain:
        raise NotConvertible(f"the layer '{layer.name}' resizes by another rule than bilinear or nearest")
    sides = x.shape[1:3]
    shape = (None, layer.height, layer.width, x.shape[-1])
    scales = [1.0, 1.0, layer.height / (sides[0] or 1), layer.width / (sides[1] or 1)]
    name = graph.node(
        "Resize",
        [x.channels_first(), "", graph.constant(scales)],
        mode=RESIZING[layer.interpolation],
        coordinate_transformation_mode="half_pixel",
        **({"nearest_mode": "round_prefer_ceil"} if layer.interpolation == "nearest" else {}),
    )
    return Tensor(graph, shape, first=name)


@converts("Flatten")
def flatten(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    values = prod(side or 0 for side in x.shape[1:])
    source = x.channels_first() if x.is_first and x.shape[1:3] == (1, 1) else x.channels_last()
    return Tensor(graph, (None, values), graph.node("Reshape", [source, graph.integers(-1, values)]))


@converts("Reshape")
def reshape(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    shape = layer.compute_output_shape((None, *x.shape[1:]))
    name = graph.node("Reshape", [x.channels_last(), graph.integers(-1, *shape[1:])])
    return Tensor(graph, tuple(shape), name)


@converts("ZeroPadding2D")
def zero_padding(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    (top, bottom), (left, right) = layer.padding
    height, width, channels = x.shape[1:]
    shape = (None, (height or 0) + top + bottom, (width or 0) + left + right, channels)
    pads = graph.integers(0, 0, top, left, 0, 0, bottom, right)
    return Tensor(graph, shape, first=graph.node("Pad", [x.channels_first(), pads]))


@converts("Cropping2D")
def cropping(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    (top, bottom), (left, right) = layer.cropping
    height, width, channels = x.shape[1:]
    ends = (height or 0) - bottom, (width or 0) - right
    bounds = graph.integers(top, left), graph.integers(*ends), graph.integers(1, 2)
    shape = (None, ends[0] - top, ends[1] - left, channels)
    return Tensor(graph, shape, graph.node("Slice", [x.channels_last(), *bounds]))


@converts(
    *(
        "Identity",
        "Dropout",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "ActivityRegularization",
    ),
    "AlphaDropout",
)
def identity(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    """What changes nothing in inference."""
    return x
