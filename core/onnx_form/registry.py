"""Which function converts which layer or operation of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.onnx_form.graph import NotConvertible

Converter = Callable[..., Any]
_converters: dict[str, Converter] = {}
TRUSTED = ("keras.", "core.architectures.layers.")  # a class of a user may have the name of one of these


def converts(*names: str) -> Callable[[Converter], Converter]:
    """Register a function `(graph, operation, *args, **kwargs)` for classes of Keras or of this program.

    The arguments are those of the operation's call, with a `Tensor` for each tensor; `training` and `mask`
    are among them where Keras passes them.
    """

    def register(function: Converter) -> Converter:
        _converters.update(dict.fromkeys(names, function))
        return function

    return register


def converter_of(operation: Any) -> Converter:
    """Return the function that converts a layer or operation. Raises NotConvertible where there is none."""
    kind = type(operation)
    if kind.__name__ not in _converters or not kind.__module__.startswith(TRUSTED):
        raise NotConvertible(f"the layer '{operation.name}' ({kind.__name__}) has no ONNX form here")
    if getattr(operation, "data_format", None) == "channels_first":
        raise NotConvertible(f"the layer '{operation.name}' has its channels first")
    return _converters[kind.__name__]
