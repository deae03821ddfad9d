"""Measures what a model costs: parameters, multiply-accumulates, receptive field, depth, training memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from core.architectures import Shape, build_model
from core.architectures.description import Description, LayerDescription, MemoryEstimate
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers as keras_layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    keras_layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")

BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
FLOAT32 = 4  # weights stay float32 under mixed precision
GRAPH_BYTES_PER_CALL = 2 << 20  # measured on residual and inception models: 1.8 to 2.3 MiB


def describe(
    name: str,
    input_shape: Shape | None = None,
    num_classes: int | None = None,
    batch_size: int = 32,
    state_per_weight: int = 2,
    **options: Any,
) -> Description:
    """Build a registered architecture, describe it and free it again.

    Clears Keras' global state: call it only in a process that does not train.

    Args:
        name, input_shape, num_classes, options: as for `build_model`, which may raise.
        batch_size: of the memory estimate.
        state_per_weight: values the optimizer keeps for each trainable parameter (Adam 2, momentum 1, SGD 0).
    """
    return describe_built(
        lambda: build_model(name, input_shape, num_classes, **options), batch_size, state_per_weight
    )


def describe_built(
    build: Callable[[], keras.Model], batch_size: int = 32, state_per_weight: int = 2
) -> Description:
    """Describe the model that a function builds, without initializing its weights, which is most of the work.

    A user-defined model whose code reads its weights is built a second time, with weights. Clears Keras'
    global state.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            return describe_model(build(), batch_size, state_per_weight)
    except Exception:  # code of a user may raise anything; with weights it raises again or succeeds
        return describe_model(build(), batch_size, state_per_weight)
    finally:
        keras.backend.clear_session()


def describe_model(model: keras.Model, batch_size: int = 32, state_per_weight: int = 2) -> Description:
    """Describe a functional or sequential model with one image input of known size.

    Nested models are unfolded. Convolutions, dense layers and the layers of this package count
    multiply-accumulates, others count none.
    """
    (images,) = model.inputs
    paths: dict[int, TensorPath] = {id(images): TensorPath()}
    layers: list[LayerDescription] = []
    kept = 0
    seen: set[int] = set()
    for operation, inputs, output in layer_calls(model, paths):
        read = [paths[id(tensor)] for tensor in inputs]
        layer = describe_call(operation, inputs[0], output, is_first=id(operation) not in seen)
        layer = replace(layer, inputs=tuple(path.made_by for path in read if path.made_by is not None))
        paths[id(output)] = replace(
            extended_path(read, operation, inputs[0].shape, output.shape, layer.macs > 0), made_by=len(layers)
        )
        kept += kept_outputs(operation) * layer.activation_bytes
        seen.add(id(operation))
        layers.append(layer)
    whole = paths[id(model.outputs[0])]
    return Description(
        name=model.name,
        input_shape=tuple(images.shape[1:]),
        classes=max(2, model.outputs[0].shape[-1]),  # one sigmoid unit stands for two classes
        total_parameters=model.count_params(),
        trainable_parameters=number_of_values(model.trainable_weights),
        macs=sum(layer.macs for layer in layers),
        receptive_field=ceil(max(whole.field)),
        depth=whole.depth,
        layers=tuple(layers),
        memory=training_memory(model, layers, kept, batch_size, state_per_weight),
    )


def describe_call(operation: Any, images: Any, output: Any, is_first: bool) -> LayerDescription:
    """Describe one call of a layer. is_first: a layer that is called again has its parameters only once."""
    shape = tuple(output.shape[1:])
    macs = multiply_accumulates(operation, tuple(images.shape[1:]), shape)
    has_bias = macs > 0 and getattr(operation, "bias", None) is not None
    weights = getattr(operation, "weights", []) if is_first else []
    return LayerDescription(
        name=operation.name,
        type=type(operation).__name__,
        output_shape=shape,
        parameters=number_of_values(weights),
        trainable_parameters=number_of_values(weight for weight in weights if weight.trainable),
        macs=macs,
        connections=macs + (prod(shape) if has_bias else 0),
        activation_bytes=prod(shape) * BYTES.get(output.dtype, 4),
        **window_and_strides(operation),
    )


def training_memory(
    model: keras.Model, layers: list[LayerDescription], kept: int, batch_size: int, state_per_weight: int
) -> MemoryEstimate:
    """Estimate the memory of a training step. kept: bytes that the backward pass of one image needs."""
    trainable = FLOAT32 * number_of_values(model.trainable_weights)
    largest_weight = max((FLOAT32 * prod(weight.shape) for weight in model.trainable_weights), default=0)
    largest_output = max(layer.activation_bytes for layer in layers)
    return MemoryEstimate(
        batch_size=batch_size,
        weights=FLOAT32 * model.count_params(),
        gradients=trainable,
        optimizer=state_per_weight * trainable,
        activations=batch_size * kept,
        workspace=2 * batch_size * largest_output + 3 * largest_weight,
        graph=GRAPH_BYTES_PER_CALL * len(layers),
        per_image=kept + 2 * largest_output,
    )


def kept_outputs(operation: Any) -> int:
    """Return how many tensors of its output's size an operation keeps for the backward pass.

    ReLU keeps its output alone, so an output that only a ReLU reads (of a convolution, a normalisation, a
    sum) is not kept. Dropout also keeps its mask; local response normalisation keeps the sum and its power.
    """
    readers = [node.operation for node in operation._outbound_nodes]
    if readers and all(isinstance(reader, keras_layers.Activation) for reader in readers):
        return 0
    if isinstance(operation, (keras_layers.Flatten, keras_layers.Reshape)):
        return 0
    if isinstance(operation, keras_layers.Dropout):
        return 2
    return 3 if isinstance(operation, own_layers.LocalResponseNormalization) else 1


def number_of_values(weights: Iterable[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


@dataclass(frozen=True)
class TensorPath:
    """The longest path from the image to a tensor.

    field: height and width in pixels of the receptive field. stride: pixels between neighbouring positions,
    by axis. depth: layers with multiply-accumulates. made_by: position of the layer that computed the tensor;
    None for the image.
    """

    field: tuple[float, float] = (1.0, 1.0)
    stride: tuple[float, float] = (1.0, 1.0)
    depth: int = 0
    made_by: int | None = None


def extended_path(
    paths: list[TensorPath], operation: Any, input_shape: Shape, output_shape: Shape, weighted: bool
) -> TensorPath:
    """Return the path to the output of an operation. paths: to its inputs. Shapes include the batch."""
    field = [max(path.field[axis] for path in paths) for axis in (0, 1)]
    stride = [max(path.stride[axis] for path in paths) for axis in (0, 1)]
    window = window_of(operation) or 1
    strides = getattr(operation, "strides", 1)
    dilation = getattr(operation, "dilation_rate", 1)
    for axis in (0, 1):
        field[axis] += (per_axis(window, axis) - 1) * per_axis(dilation, axis) * stride[axis]
        if isinstance(operation, (keras_layers.UpSampling2D, keras_layers.Resizing)):
            stride[axis] *= input_shape[axis + 1] / output_shape[axis + 1]
        else:
            stride[axis] *= per_axis(strides, axis)
    depth = max(path.depth for path in paths) + weighted
    return TensorPath((field[0], field[1]), (stride[0], stride[1]), depth)


def window_of(operation: Any) -> Any:
    """Return the kernel or pool size: one side or `(height, width)`; None for other layers."""
    return getattr(operation, "kernel_size", getattr(operation, "pool_size", None))


def window_and_strides(operation: Any) -> dict[str, tuple[int, ...]]:
    """Return window and strides of a layer, height first; both empty for a layer without a window."""
    window = window_of(operation)
    if window is None:
        return {"window": (), "strides": ()}
    strides = getattr(operation, "strides", 1)
    return {
        "window": (per_axis(window, 0), per_axis(window, 1)),
        "strides": (per_axis(strides, 0), per_axis(strides, 1)),
    }


def per_axis(value: Any, axis: int) -> int:
    return int(value[axis]) if isinstance(value, (tuple, list)) else int(value)


def layer_calls(model: keras.Model, known: dict[int, Any]) -> Iterator[tuple[Any, list[Any], Any]]:
    """Yield every call of a layer in the order of the graph: the layer, its input tensors, its output tensor.

    Nested models are unfolded. known: values by the id of a tensor; a nested model's inputs and outputs get
    those of the tensors that they stand for.
    """
    graph = model._functional if isinstance(model, keras.Sequential) else model
    for depth in sorted(graph._nodes_by_depth, reverse=True):  # the order in which Keras computes
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            if not isinstance(node.operation, keras.Model):
                yield node.operation, node.input_tensors, node.outputs[0]
                continue
            for inner, outer in zip(node.operation.inputs, node.input_tensors, strict=True):
                known[id(inner)] = known[id(outer)]
            yield from layer_calls(node.operation, known)
            for inner, outer in zip(node.operation.outputs, node.outputs, strict=True):
                known[id(outer)] = known[id(inner)]


def multiply_accumulates(layer: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
    """Count for one image; shapes are without the batch. A user's layer may have a method of this name."""
    if hasattr(layer, "multiply_accumulates"):
        return layer.multiply_accumulates(output_shape)
    if isinstance(layer, keras_layers.SeparableConv2D):
        per_position = prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape)
        return prod(output_shape[:2]) * per_position
    if isinstance(layer, keras_layers.Conv2DTranspose):
        return prod(input_shape[:2]) * prod(layer.kernel.shape)
    if isinstance(layer, keras_layers.DepthwiseConv2D):
        return prod(output_shape) * prod(layer.kernel_size)
    if isinstance(layer, (keras_layers.Conv1D, keras_layers.Conv2D, keras_layers.Dense)):
        return prod(output_shape) * prod(layer.kernel.shape[:-1])
    return 0
