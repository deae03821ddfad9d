"""Models as text: a YAML list of layers, read and checked line by line. No code, and a closed set of layers.

    - conv: {filters: 32, size: 3, padding: same, activation: relu}
    - pool: 2
    - flatten
    - dense: {units: 128, activation: relu}
    - dropout: 0.5
    - softmax

A layer is its bare name, `name: value` for its first setting, or `name: {setting: value, ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import yaml

from core.architectures import Option, Shape
from core.config import as_number, yaml_text

MAX_LAYERS = 200
MAX_PARAMETERS = 500_000_000  # 2 GB of weights; training takes four times as much

SCALAR_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool"))
ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "tanh", "sigmoid",
)  # fmt: skip
INITIALIZERS = (
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "truncated_normal", "random_normal", "zeros",
)  # fmt: skip

_WEIGHTS = (
    Option("initializer", "glorot_uniform", "Initial weights.", choices=INITIALIZERS),
    Option("stddev", 0.05, "Deviation of truncated_normal and random_normal.", 1e-6, 10.0),
    Option("l2", 0.0, "`l2 * sum(w ** 2)` is added to the loss.", 0.0, 1.0),
)
_BIAS = (
    Option("bias", True, "Add one number per map."),
    Option("bias_start", 0.0, "Initial biases.", -10.0, 10.0),
)
_PADDING = Option("padding", "valid", "Same: zeros around the map keep its size.", choices=("valid", "same"))
_ACTIVATION = Option("activation", "linear", "Activation after it.", choices=ACTIVATIONS)

# name: its settings; the first one can be given without its name
LAYERS: dict[str, tuple[Option, ...]] = {
    "conv": (
        Option("filters", 32, "Maps of the output.", 1, 8192),
        Option("size", 3, "Side of the kernel in pixels.", 1, 31),
        Option("strides", 1, "Pixels from one position to the next.", 1, 16),
        _PADDING,
        _ACTIVATION,
        *_BIAS,
        *_WEIGHTS,
    ),
    "pool": (
        Option("size", 2, "Side of the window in pixels.", 1, 31),
        Option("strides", 0, "Pixels from one window to the next; 0: the size.", 0, 16),
        _PADDING,
        Option("kind", "max", "The largest value, or the mean.", choices=("max", "average")),
    ),
    "batch_norm": (
        Option("momentum", 0.99, "Share of the old mean that a step keeps.", 0.0, 0.9999),
        Option("epsilon", 0.001, "Added to the variance.", 1e-8, 1.0),
    ),
    "lrn": (
        Option("radius", 2, "Neighbouring maps on each side.", 1, 64),
        Option("bias", 2.0, "Added to the sum.", 1e-6, 100.0),
        Option("alpha", 1e-4, "Weight of the sum of squares.", 0.0, 100.0),
        Option("beta", 0.75, "Exponent.", 0.0, 10.0),
    ),
    "activation": (Option("activation", "relu", "The function.", choices=ACTIVATIONS),),
    "dropout": (Option("rate", 0.5, "Share of values dropped.", 0.0, 0.99),),
    "flatten": (),
    "global_average_pool": (),
    "dense": (Option("units", 128, "Values of the output.", 1, 65_536), _ACTIVATION, *_BIAS, *_WEIGHTS),
    "softmax": _WEIGHTS,
    "sigmoid": _WEIGHTS,
}
REQUIRED = ("filters", "rate", "units")  # they have no natural default
HEADS = ("softmax", "sigmoid")
ON_MAPS = ("conv", "pool", "lrn", "flatten", "global_average_pool")
ON_VECTORS = ("dense", *HEADS)


@dataclass(frozen=True)
class ListedLayer:
    """One item of the list, with all its settings. line: of the text, position: in the list; both from 1."""

    kind: str
    settings: Mapping[str, Any]
    line: int
    position: int

    @property
    def place(self) -> str:
        return f"Line {self.line}, layer {self.position} ({self.kind})"


def read_layers(text: str) -> list[ListedLayer]:
    """Read a list of layers. Raises ValueError naming line, layer, rule and value for the first mistake."""
    try:
        root = yaml_text.compose(text)
    except yaml_text.YamlRefused as error:
        where = "" if error.line is None else f"Line {error.line}: "
        raise ValueError(f"{where}the layers must be a YAML list. {_reason(error)}") from error
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise ValueError(
            f"The layers must be a YAML list, one `- layer` a line, the last one softmax. "
            f"Received: {text[:40]!r}."
        )
    if len(root.value) > MAX_LAYERS:
        raise ValueError(f"A model may have at most {MAX_LAYERS} layers. Received: {len(root.value)}.")
    return [_layer(node, position) for position, node in enumerate(root.value, start=1)]


def check_layers(layers: list[ListedLayer], input_shape: Shape, num_classes: int) -> None:
    """Compute the shapes through all layers. Raises ValueError, as `read_layers`, where one does not fit."""
    if layers[-1].kind not in HEADS:
        raise ValueError(f"{layers[-1].place}: the last layer must be {' or '.join(HEADS)}.")
    shape: tuple[int, ...] = input_shape
    parameters = 0
    for layer in layers:
        if layer.kind in HEADS and layer is not layers[-1]:
            raise ValueError(f"{layer.place}: only the last layer may be {layer.kind}.")
        if layer.kind == "sigmoid" and num_classes != 2:
            raise ValueError(
                f"{layer.place}: one sigmoid unit tells 2 classes apart. Received: {num_classes}."
            )
        if layer.kind in ON_MAPS and len(shape) == 1:
            raise ValueError(f"{layer.place}: it needs maps. Received: a vector of {shape[0]} values.")
        if layer.kind in ON_VECTORS and len(shape) == 3:
            raise ValueError(
                f"{layer.place}: put flatten or global_average_pool before it. Received: maps of "
                f"{_times(shape)}."
            )
        before, shape = shape, output_shape(layer, shape, num_classes)
        parameters += parameter_count(layer, before, shape)
        if parameters > MAX_PARAMETERS:
            raise ValueError(
                f"{layer.place}: a model may have at most {MAX_PARAMETERS:,} parameters. "
                f"Received: {parameters:,} so far."
            )


def _layer(node: yaml.Node, position: int) -> ListedLayer:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        name, given = str(node.value), {}
    elif isinstance(node, yaml.MappingNode) and [type(key) for key, _ in node.value] == [yaml.ScalarNode]:
        key, value = node.value[0]
        name, given = str(key.value), _settings(str(key.value), value, f"Line {line}, layer {position}")
    else:
        raise ValueError(
            f"Line {line}, layer {position}: a layer is `- name` or `- name: {{setting: value}}`."
        )
    if name not in LAYERS:
        raise ValueError(
            f"Line {line}, layer {position}: unknown layer {name[:40]!r}. Known: {', '.join(LAYERS)}."
        )
    place = f"Line {line}, layer {position} ({name})"
    known = {option.name: option for option in LAYERS[name]}
    for setting in given:
        if setting not in known:
            raise ValueError(
                f"{place}: it has no setting {setting[:40]!r}. Known: {', '.join(known) or 'it has none'}."
            )
    complete = {}
    for setting, option in known.items():
        if setting in REQUIRED and setting not in given:
            raise ValueError(f"{place}: give it {setting}, as in `- {name}: {{{setting}: ...}}`.")
        try:
            complete[setting] = option.validated(given.get(setting, option.default))
        except ValueError as error:
            raise ValueError(f"{place}: {str(error).replace('Option ', '', 1)}") from error
    return ListedLayer(name, complete, line, position)


def _settings(name: str, node: yaml.Node, place: str) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), value) for key, value in node.value]
    elif LAYERS.get(name):
        pairs = [(LAYERS[name][0].name, node)]
    else:
        pairs = [("value", node)]
    given: dict[str, Any] = {}
    for setting, value in pairs:
        if not isinstance(value, yaml.ScalarNode) or value.tag not in SCALAR_TAGS:
            raise ValueError(f"{place} ({name[:40]}): '{setting[:40]}' must be one number or word.")
        if setting in given:
            raise ValueError(f"{place} ({name[:40]}): '{setting[:40]}' is given twice.")
        try:
            given[setting] = as_number(yaml_text.construct(value))
        except yaml_text.YamlRefused as error:
            raise ValueError(f"{place} ({name[:40]}): '{setting[:40]}' {error.reason}.") from error
    return given


def output_shape(layer: ListedLayer, shape: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    """Return the output shape of a layer, without the batch. Raises ValueError for a window too large."""
    match layer.kind:
        case "conv" | "pool":
            size, padding = layer.settings["size"], layer.settings["padding"]
            strides = layer.settings["strides"] or size
            if padding == "valid" and min(shape[:2]) < size:
                raise ValueError(
                    f"{layer.place}: its window must fit into the map, or padding be same. "
                    f"Received: {size}×{size} on {shape[0]}×{shape[1]}."
                )
            missing = size - 1 if padding == "valid" else 0
            height, width = (-(-(side - missing) // strides) for side in shape[:2])
            return height, width, layer.settings.get("filters", shape[-1])
        case "flatten":
            return (prod(shape),)
        case "global_average_pool":
            return (shape[-1],)
        case "dense":
            return (layer.settings["units"],)
        case "softmax":
            return (num_classes,)
        case "sigmoid":
            return (1,)
    return shape


def parameter_count(layer: ListedLayer, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Return how many numbers a layer has. before, after: shapes of input and output."""
    if layer.kind == "conv":
        return after[-1] * (layer.settings["size"] ** 2 * before[-1] + layer.settings["bias"])
    if layer.kind in ON_VECTORS:
        return after[-1] * (before[-1] + layer.settings.get("bias", True))
    return 4 * after[-1] if layer.kind == "batch_norm" else 0


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _reason(error: yaml_text.YamlRefused) -> str:
    """Return the parser's message, or the limit that the text exceeds."""
    problem = getattr(error.__cause__, "problem", None)
    return f"Received: {problem}." if problem else f"The text {error.reason}."
