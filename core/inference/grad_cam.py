"""Grad-CAM: which places of the last feature maps speak for a class.

Each map is weighted by the mean of the gradient of the class's logit, and the weighted sum is kept where it
is above 0. For a head of a global average and one dense layer this is the class activation map. Source: R.
Selvaraju et al., "Grad-CAM" (arXiv:1610.02391). Its maps depend on the weights, as those of guided
backpropagation do not: J. Adebayo et al., "Sanity checks for saliency maps" (arXiv:1810.03292).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from PIL import Image

from core.architectures.classifier_output import PASSED
from core.inference.gradients import value_and_gradient

ENDS = ("softmax", "sigmoid")
NO_MAPS = "The model has no feature maps of more than one pixel, so Grad-CAM shows nothing; occlusion does."


class GradCam(NamedTuple):
    """values: float32, at least 0, as high and wide as the feature maps of `layer`."""

    values: np.ndarray
    layer: str


def grad_cam(model: keras.Model, image: np.ndarray, index: int) -> GradCam:
    """Return where the last feature maps of a classifier speak for a class.

    Args:
        model: Takes images of 0-255, answers probabilities, with one output; functional or sequential.
        image: `(H, W, C)`, 0-255.
        index: Of the class.

    Raises ValueError for a model without feature maps of more than one pixel, and for one with a step after
    them that has no gradient.
    """
    layer = last_maps(model)
    end = _end(model.outputs[0])
    shape = [1, *_maps(layer)[1:]]
    images = keras.ops.convert_to_tensor(image[None].astype("float32"))

    def score(change: Any) -> tuple[Any, Any]:
        kept: list[Any] = []
        output = _run(model, images, layer, end, change, kept)
        return _score(output, index, end is not None), kept[-1]

    maps, gradient = value_and_gradient(score, np.zeros(shape, "float32"))
    weights = gradient.mean(axis=(0, 1, 2))
    values = np.maximum(np.asarray(maps)[0] @ weights, 0).astype("float32")
    return GradCam(values, layer.name)


def on_image(values: np.ndarray, model: keras.Model, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a map to height and width of the image, or to its middle where the model cuts that out."""
    top, left, height, width = 0, 0, *size
    centre = [one for one in _operations(model) if one.name == "centre" and hasattr(one, "cropping")]
    if centre:
        (top, bottom), (left, right) = centre[0].cropping
        height, width = height - top - bottom, width - left - right
    enlarged = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
    found = np.zeros(size, "float32")
    found[top : top + height, left : left + width] = np.asarray(enlarged)
    return found


def last_maps(model: keras.Model) -> Any:
    """Return the layer, or operation, whose output are the last feature maps `(N, H, W, C)` of over a pixel.

    It may lie in a model that is part of the model. What lies before the first weights makes no features.
    """
    every = list(_operations(model))
    kernels = (place for place, one in enumerate(every) if any(len(w.shape) > 1 for w in one.weights))
    first = next((place for place in kernels), len(every))
    for one in reversed(every[first:]):
        match _maps(one):
            case (_, int(height), int(width), int()) if height * width > 1:
                return one
    raise ValueError(NO_MAPS)


def _operations(model: keras.Model) -> Iterator[Any]:
    """Yield operations in the order in which they compute, those of models inside of the model too."""
    for one in _functional(model).operations:
        if isinstance(one, keras.Model) and hasattr(_functional(one), "_run_through_graph"):
            yield from _operations(one)
        elif not isinstance(one, keras.layers.InputLayer):
            yield one


def _functional(model: keras.Model) -> Any:
    return model._functional if isinstance(model, keras.Sequential) else model


def _maps(operation: Any) -> tuple[Any, ...]:
    outputs = operation._inbound_nodes[-1].output_tensors
    return tuple(outputs[0].shape) if len(outputs) == 1 else ()


def _end(output: Any) -> Any:
    """Return the operation that turns logits into probabilities; None where it is not known."""
    operation, node, _ = output._keras_history
    if isinstance(operation, keras.Model):
        return _end(_functional(operation).outputs[0])
    kind = type(operation).__name__
    activation = getattr(getattr(operation, "activation", None), "__name__", "")
    if kind in PASSED or (kind == "Activation" and activation == "linear"):
        return _end(operation._inbound_nodes[node].input_tensors[0])
    return operation if activation in ENDS or kind.lower() in ENDS else None


def _run(model: keras.Model, inputs: Any, layer: Any, end: Any, change: Any, kept: list[Any]) -> Any:
    """Return the output of a model whose maps after `layer` get `change` added, without `end`'s activation.

    kept: gets the maps; a layer that is called twice counts where it is called last.
    """

    def running(operation: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if isinstance(operation, keras.Model) and hasattr(_functional(operation), "_run_through_graph"):
                return _run(operation, args[0], layer, end, change, kept)
            if "training" in getattr(operation, "_call_context_args", ()):
                kwargs["training"] = False
            found = (
                _without_activation(operation, *args, **kwargs)
                if operation is end
                else operation(*args, **kwargs)
            )
            if operation is layer:
                kept.append(found)
                found = found + keras.ops.cast(change, found.dtype)
            return found

        return call

    return _functional(model)._run_through_graph(inputs, operation_fn=running)


def _without_activation(operation: Any, *args: Any, **kwargs: Any) -> Any:
    if type(operation).__name__ in ("Softmax", "Sigmoid", "Activation"):
        return args[0]
    activation = operation.activation
    operation.activation = (
        keras.activations.linear
    )  # nothing else uses the model meanwhile: the server's turn
    try:
        return operation(*args, **kwargs)
    finally:
        operation.activation = activation


def _score(output: Any, index: int, is_logits: bool) -> Any:
    """Return the logit of a class; the logarithm of its probability where logits are not known."""
    if output.shape[-1] == 1:
        value = output[0, 0]
        if is_logits:
            return value if index else -value
        value = value if index else 1 - value
    else:
        value = output[0, index]
    return value if is_logits else keras.ops.log(keras.ops.maximum(value, 1e-30))
