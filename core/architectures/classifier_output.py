"""The output of a classifier: float32 probabilities, `(N, classes)` or `(N, 1)`, whoever wrote the model.

The activation of the output layer decides what is done:

- softmax over the classes, or one sigmoid unit for two classes: nothing;
- none (logits): a softmax is added, or a sigmoid after a single unit;
- any other: the model is refused with a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

ADDED = "probabilities"  # the layer that turns logits into probabilities
ADDED_32 = "probabilities_float32"  # the layer that casts half-precision probabilities to float32
# Layers that leave the range of values as it is: a layer before them decides what the model outputs.
PASSED = (
    *("Flatten", "Reshape", "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "Identity"),
    *("GlobalAveragePooling2D", "AveragePooling2D", "Cast"),
)
LINEAR = ("BatchNormalization", "LayerNormalization")


class ModelError(ValueError):
    """A model that cannot be trained as a classifier; the message names model, rule and what was found."""


def class_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return a model's outputs `(n, k)` as probabilities of each class; one sigmoid column is class 1's."""
    return outputs if outputs.shape[1] > 1 else np.concatenate([1 - outputs, outputs], axis=1)


def with_probabilities(model: Any, name: str, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the model with an output of float32 probabilities; it shares the layers.

    Args:
        model: what an architecture built.
        name: of the architecture, for messages.
        input_shape: `(H, W, C)` of the images.
        classes: how many the model must tell apart.

    Raises:
        ModelError: it is no classifier of such images.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ModelError(
            f"{name} must return a functional or sequential keras.Model with a known input. "
            f"Received: {type(model).__name__}."
        )
    if [tuple(one.shape[1:]) for one in model.inputs] != [tuple(input_shape)]:
        raise ModelError(
            f"{name} must take one batch of images of {_times(input_shape)}. "
            f"Received: {', '.join(_times(one.shape[1:]) for one in model.inputs)}."
        )
    heads = model.outputs
    several = type(model).__name__ == "AuxiliaryModel"
    if len(heads) != 1 and not several:
        raise ModelError(f"{name} must have one output, the classes. Received: {len(heads)} outputs.")
    answers = [_probabilities(head, name, classes, model) for head in heads]
    if all(answer is head for answer, head in zip(answers, heads, strict=True)):
        return model
    if several:
        return type(model)(model.inputs[0], answers, name=model.name)
    return keras.Model(model.inputs[0], answers[0], name=model.name)


def note(model: keras.Model) -> str | None:
    """Return a sentence on the layer that `with_probabilities` added; None where it added none."""
    added = next((layer for layer in model.layers if layer.name == ADDED), None)
    if added is None:
        return None
    kind = "softmax" if isinstance(added, layers.Softmax) else "sigmoid"
    return f"the last layer of {model.name} has no activation, so its values are logits: a {kind} was added"


def _probabilities(head: Any, name: str, classes: int, model: keras.Model) -> Any:
    """Return an output `(N, units)` as float32 probabilities: itself where it already is that."""
    if len(head.shape) != 2:
        raise ModelError(
            f"{name} must end in one value a class, (N, {classes}). "
            f"Received: values of {_times(head.shape[1:])}; flatten or pool them before the last layer."
        )
    units = head.shape[1]
    if units != classes and not (units == 1 and classes == 2):
        one = " or one sigmoid unit" if classes == 2 else ""
        raise ModelError(
            f"{name} must have one output for each of the {classes} classes{one}: give the last layer "
            f"`num_classes` units. Received: {units}."
        )
    activation, label, *_ = output_activation(head)
    if activation == "linear":
        if any(layer.name == ADDED for layer in model.layers):
            raise ModelError(f"{name} must not name a layer before its logits '{ADDED}'.")
        if units == 1:
            return layers.Activation("sigmoid", dtype="float32", name=ADDED)(head)
        return layers.Softmax(dtype="float32", name=ADDED)(head)
    if activation == "sigmoid" and units > 1:
        raise ModelError(
            f"{name} ends in {label} with a sigmoid for each class, whose values do not sum to 1. "
            "Use softmax, or no activation for logits."
        )
    if activation is not None and activation != ("sigmoid" if units == 1 else "softmax"):
        fitting = "sigmoid" if units == 1 else "softmax"
        raise ModelError(
            f"{name} must end in {fitting}, or without activation for logits. "
            f"Received: {label} with {activation}."
        )
    return head if head.dtype == "float32" else _in_float32(head)


class Ending(NamedTuple):
    """The layer that bounds the values of an output.

    activation: its activation; None: unknown. label: the layer, for messages. passed: the layers after it,
    the last one first. before: its input, where the layer has no weights.
    """

    activation: str | None
    label: str
    passed: tuple[Any, ...] = ()
    before: Any = None


def output_activation(head: Any, passed: tuple[Any, ...] = ()) -> Ending:
    """Find the layer that bounds the values of an output. passed: layers passed on the way back from it."""
    operation, node, _ = head._keras_history
    kind = type(operation).__name__
    label = f"the layer '{operation.name}'"
    if isinstance(operation, keras.Model):
        return output_activation(operation.outputs[0], passed)
    inputs = operation._inbound_nodes[node].input_tensors  # of this call: a layer may be called twice
    if kind in PASSED:
        return output_activation(inputs[0], (*passed, operation))
    if kind in LINEAR:
        return Ending("linear", label, passed)
    if kind in ("Softmax", "Sigmoid"):  # a layer, or keras.ops
        return Ending(kind.lower(), label, passed, inputs[0])
    function = getattr(operation, "activation", None)
    if function is None:
        return Ending(None, label, passed)
    found = getattr(function, "__name__", type(function).__name__).lower()
    if kind == "Activation" and found == "linear":
        return output_activation(inputs[0], (*passed, operation))
    return Ending(found, label, passed, inputs[0] if kind == "Activation" else None)


def _in_float32(head: Any) -> Any:
    """Return the same output computed in float32: half precision has three digits, too few for a loss."""
    operation = head._keras_history.operation
    if type(operation).__name__ in ("Softmax", "Sigmoid") and not isinstance(operation, keras.Layer):
        (before,) = operation._inbound_nodes[0].input_tensors
        return layers.Activation(type(operation).__name__.lower(), dtype="float32", name=ADDED_32)(before)
    if isinstance(operation, keras.Layer) and not isinstance(operation, keras.Model):
        operation.dtype_policy = "float32"
        inputs = operation._inbound_nodes[-1].arguments
        again = operation(*inputs.args, **inputs.kwargs)
        if again.dtype == "float32":
            return again
    return layers.Activation("linear", dtype="float32", name=ADDED_32)(head)


def _times(shape: Any) -> str:
    return "×".join(str(side) for side in shape) or "one number"
