"""Operations on tensors: `keras.ops`, merging layers, and activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.onnx_form.graph import Graph, NotConvertible, Tensor
from core.onnx_form.registry import converts

# Activations that are one node. Keras' function name: the operator, and its attributes.
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}),
    "gelu": ("Gelu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "exponential": ("Exp", {}),
}


def broadcast(shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    """Return the shape of what is computed of tensors of these shapes; None is the batch."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((side for side in sides if side != 1), 1) for sides in zip(*padded, strict=True))


def unary(kind: str, x: Tensor, **attributes: Any) -> Tensor:
    """Apply an operator to each value, in the layout that is there."""
    if x.is_first:
        return Tensor(x.graph, x.shape, first=x.graph.node(kind, [x.first], **attributes))
    return Tensor(x.graph, x.shape, x.graph.node(kind, [x.channels_last()], **attributes))


def binary(graph: Graph, kind: str, a: Any, b: Any) -> Tensor:
    """Apply an operator to the values of two tensors; one of both may be an array or a number."""
    tensors = [x for x in (a, b) if isinstance(x, Tensor)]
    shape = broadcast([tuple(x.shape if isinstance(x, Tensor) else np.shape(x)) for x in (a, b)])
    whole = all(len(x.shape) == len(shape) for x in tensors)  # of one rank: layouts can be compared
    first = len(shape) == 4 and whole and any(x.is_first for x in tensors)

    def name(x: Any) -> str:
        if isinstance(x, Tensor):
            return x.in_layout(first)
        array = np.asarray(x, "float32")
        if first and array.ndim:
            array = array.reshape((1,) * (4 - array.ndim) + array.shape).transpose(0, 3, 1, 2)
        return graph.constant(array)

    result = graph.node(kind, [name(a), name(b)])
    return Tensor(graph, shape, first=result) if first else Tensor(graph, shape, result)


def scaled(x: Tensor, scale: Any, offset: Any) -> Tensor:
    """Return `x * scale + offset`; both are numbers or arrays that fit the channels."""
    if np.any(np.asarray(scale) != 1):
        x = binary(x.graph, "Mul", x, scale)
    return binary(x.graph, "Add", x, offset) if np.any(np.asarray(offset) != 0) else x


def activated(x: Tensor, function: Any) -> Tensor:
    """Apply an activation of Keras. Raises NotConvertible for one that has no ONNX form here."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "linear":
        return x
    if name in ("silu", "swish"):
        return binary(x.graph, "Mul", x, unary("Sigmoid", x))
    if name == "softmax":
        return softmax(x)
    if name not in ACTIVATIONS or not getattr(function, "__module__", "").startswith("keras."):
        raise NotConvertible(f"the activation {name} has no ONNX form here")
    kind, attributes = ACTIVATIONS[name]
    return unary(kind, x, **attributes)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    return Tensor(x.graph, x.shape, x.graph.node("Softmax", [x.channels_last()], axis=axis))


@converts("Activation")
def activation(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    return activated(x, layer.activation)


@converts("ReLU")
def relu(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    if layer.negative_slope or layer.threshold:
        raise NotConvertible(f"the layer '{layer.name}' is a ReLU with a slope or a threshold")
    x = unary("Relu", x)
    return x if layer.max_value is None else binary(graph, "Min", x, float(layer.max_value))


@converts("LeakyReLU")
def leaky_relu(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    return unary("LeakyRelu", x, alpha=float(layer.negative_slope))


@converts("ELU")
def elu(graph: Graph, layer: Any, x: Tensor, **_: Any) -> Tensor:
    return unary("Elu", x, alpha=float(layer.alpha))


@converts("Softmax")
def softmax_layer(graph: Graph, layer: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return softmax(x, layer.axis)


FUNCTIONS = {"Relu": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Sqrt": "Sqrt", "Exp": "Exp",
             "Log": "Log", "Absolute": "Abs", "Negative": "Neg"}  # fmt: skip
OPERATORS = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "TrueDivide": "Div", "Divide": "Div",
             "Maximum": "Max", "Minimum": "Min", "Power": "Pow"}  # fmt: skip


@converts(*FUNCTIONS)
def function(graph: Graph, operation: Any, x: Tensor, **_: Any) -> Tensor:
    return unary(FUNCTIONS[type(operation).__name__], x)


@converts("Square")
def square(graph: Graph, operation: Any, x: Tensor, **_: Any) -> Tensor:
    return binary(graph, "Mul", x, x)


@converts(*OPERATORS)
def merged(graph: Graph, operation: Any, *args: Any, **_: Any) -> Tensor:
    """A merging layer takes a list of tensors, `keras.ops` two arguments."""
    values = list(args[0]) if isinstance(args[0], (list, tuple)) else list(args)
    result = values[0]
    for value in values[1:]:
        result = binary(graph, OPERATORS[type(operation).__name__], result, value)
    return result


@converts("Average")
def average(graph: Graph, layer: Any, values: Sequence[Tensor], **_: Any) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = binary(graph, "Add", total, value)
    return binary(graph, "Mul", total, 1 / len(values))


@converts("Concatenate")
def concatenate(graph: Graph, operation: Any, values: Sequence[Tensor], **_: Any) -> Tensor:
    rank = len(values[0].shape)
    axis = operation.axis % rank
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] or 0 for value in values)
    if rank == 4 and any(value.is_first for value in values):
        names = [value.channels_first() for value in values]
        place = (0, 2, 3, 1)[axis]
        return Tensor(graph, tuple(shape), first=graph.node("Concat", names, axis=place))
    names = [value.channels_last() for value in values]
    return Tensor(graph, tuple(shape), graph.node("Concat", names, axis=axis))


@converts("Stack")
def stack(graph: Graph, operation: Any, values: Sequence[Tensor], **_: Any) -> Tensor:
    if operation.axis != 0:
        raise NotConvertible("tensors are stacked along an axis other than the first")
    axis = graph.integers(0)
    names = [graph.node("Unsqueeze", [value.channels_last(), axis]) for value in values]
    return Tensor(graph, (len(values), *values[0].shape), graph.node("Concat", names, axis=0))


@converts("Mean", "Sum", "Max")
def reduced(graph: Graph, operation: Any, x: Tensor, **_: Any) -> Tensor:
    rank = len(x.shape)
    given = operation.axis
    if given is None:
        raise NotConvertible("a tensor is reduced over the batch as well")
    axes = [axis % rank for axis in ((given,) if isinstance(given, int) else given)]
    kind = {"Mean": "ReduceMean", "Sum": "ReduceSum", "Max": "ReduceMax"}[type(operation).__name__]
    name = graph.node(kind, [x.channels_last(), graph.integers(*axes)], keepdims=int(operation.keepdims))
    shape = [1 if axis in axes else side for axis, side in enumerate(x.shape)]
    if not operation.keepdims:
        shape = [side for axis, side in enumerate(x.shape) if axis not in axes]
    return Tensor(graph, tuple(shape), name)


@converts("Matmul")
def matmul(graph: Graph, operation: Any, a: Any, b: Any, **_: Any) -> Tensor:
    if not isinstance(a, Tensor) or isinstance(b, Tensor):
        raise NotConvertible("a product of tensors is no product with a constant matrix")
    matrix = np.asarray(b, "float32")
    shape = (*a.shape[:-1], matrix.shape[-1])
    if len(a.shape) == 4 and a.is_first:  # a product over the channels is a convolution with one pixel
        kernel = graph.constant(matrix.T[:, :, None, None])
        return Tensor(graph, shape, first=graph.node("Conv", [a.first, kernel]))
    return Tensor(graph, shape, graph.node("MatMul", [a.channels_last(), graph.constant(matrix)]))


@converts("Flip")
def flip(graph: Graph, operation: Any, x: Tensor, **_: Any) -> Tensor:
    axes = (operation.axis,) if isinstance(operation.axis, int) else tuple(operation.axis or ())
    name = x.channels_last()
    for axis in axes:
        side = x.shape[axis]
        if side is None:
            raise NotConvertible("the batch is reversed")
        name = graph.node("Gather", [name, graph.integers(*reversed(range(side)))], axis=axis % len(x.shape))
    return Tensor(graph, x.shape, name)


@converts("Roll")
def roll(graph: Graph, operation: Any, x: Tensor, **_: Any) -> Tensor:
    axes = (operation.axis,) if isinstance(operation.axis, int) else tuple(operation.axis or ())
    shifts = (operation.shift,) * len(axes) if isinstance(operation.shift, int) else operation.shift
    name = x.channels_last()
    for axis, shift in zip(axes, shifts, strict=True):
        side = x.shape[axis]
        if side is None:
            raise NotConvertible("the batch is rolled")
        order = [(place - shift) % side for place in range(side)]
        name = graph.node("Gather", [name, graph.integers(*order)], axis=axis)
    return Tensor(graph, x.shape, name)
