"""The registry of architectures. A family is one file of this package; a variant is one row of its table.

Family files import Keras lazily (`core.lazy`), so the dashboard can list and describe entries without it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.architectures.classifier_output import with_probabilities
from core.config import as_text
from core.registry import Registry
from core.system.plugin_files import load_helpers
from core.system.settings import get_settings
from core.system.text import shortened

if TYPE_CHECKING:
    import keras
    import numpy as np

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Option:
    """One setting of an architecture; the form draws its widget from this.

    The type of `default` is the type of the option. `minimum` and `maximum` bound a number, inclusive;
    `step` allows only every `step`-th number from `minimum` on; `choices` lists the allowed words;
    `max_length` makes it free text of at most that many characters.
    """

    name: str
    default: bool | int | float | str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    step: int | None = None
    max_length: int | None = None

    def validated(self, value: Any) -> Any:
        """Return the value in the option's own type. Raises ValueError with the rule and the value."""
        kind = type(self.default)
        if kind is bool:
            if not isinstance(value, bool):
                raise ValueError(f"Option '{self.name}' must be true or false. Received: {shortened(value)}.")
            return value
        if self.max_length is not None:
            return self._text(as_text(value) if isinstance(value, list) else value)
        if kind is str:
            if value not in self.choices:
                raise ValueError(
                    f"Option '{self.name}' must be one of {', '.join(self.choices)}. "
                    f"Received: {shortened(value)}."
                )
            return value
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not is_finite(value) or (kind is int and value != int(value)):
            word = "a whole number" if kind is int else "a number"
            raise ValueError(f"Option '{self.name}' must be {word}. Received: {shortened(value)}.")
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"Option '{self.name}' must be in {low} to {high}. Received: {value!r}.")
        if self.step is not None and low is not None and (value - low) % self.step:
            raise ValueError(
                f"Option '{self.name}' must be {low}, {low + self.step}, {low + 2 * self.step} and so on "
                f"up to {high}. Received: {value!r}."
            )
        return kind(value)

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"Option '{self.name}' must be text. Received: {shortened(value)}.")
        if len(value) > self.max_length:  # type: ignore[operator]
            raise ValueError(
                f"Option '{self.name}' must have at most {self.max_length} characters. "
                f"Received: {len(value)}."
            )
        return value


def is_finite(value: float) -> bool:
    """Whether a number is finite and fits into a float."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer above the largest float
        return False


@dataclass(frozen=True)
class Card:
    """Where an architecture comes from. paper: DOI or arXiv number. departures: what differs from it."""

    title: str
    authors: str
    year: int
    paper: str
    summary: str
    departures: str = "None."


@dataclass(frozen=True)
class Architecture:
    """A named architecture: how to build it, and what a person should know before choosing it.

    build: `(input_shape, num_classes, **options) -> keras.Model`; its output is `(batch, num_classes)`
        probabilities or logits (`(batch, 1)` for two classes).
    input_shape: the native input `(H, W, C)`, num_classes the native number of classes.
    min_size: the smallest height and width that still works.
    check: `(input_shape, num_classes, **options)`; raises ValueError for what these rules do not cover. It
        runs before a launch, without Keras.
    initialize: `(model, images)`; sets weights of a fresh model from some training images, float32
        `(N, H, W, C)` as the model receives them. Not called where weights to start from are given.
    """

    name: str
    family: str
    build: Callable[..., keras.Model]
    input_shape: Shape
    num_classes: int
    min_size: int
    card: Card
    options: tuple[Option, ...] = field(default=())
    check: Callable[..., None] | None = None
    initialize: Callable[[keras.Model, np.ndarray], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.card.year, int):
            raise ValueError(f"The year of {self.name} must be a whole number. Received: {self.card.year!r}.")
        check_input(self, self.input_shape, self.num_classes)
        check_options(self, {})


architectures: Registry[Architecture] = Registry(
    "architecture", __name__, folder=lambda: get_settings().architectures
)


def check_input(entry: Architecture, input_shape: Shape, num_classes: int) -> None:
    """Raise ValueError when the architecture cannot take this input or this number of classes."""
    height, width, channels = input_shape
    if min(height, width) < entry.min_size:
        raise ValueError(
            f"{entry.name} needs images of at least {entry.min_size}×{entry.min_size} pixels. "
            f"Received: {height}×{width}."
        )
    if channels not in (1, 3):
        raise ValueError(f"Images must have 1 or 3 channels. Received: {channels}.")
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2. Received: {num_classes}.")


def check_options(entry: Architecture, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options, defaults filled in. Raises ValueError on an unknown name or a bad value."""
    known = {option.name: option for option in entry.options}
    unknown = sorted(set(options) - set(known))
    if unknown:
        names = ", ".join(known) or "it has none"
        raise ValueError(f"{entry.name} has no option {shortened(unknown[0])}. Known: {names}.")
    return {name: option.validated(options.get(name, option.default)) for name, option in known.items()}


def checked_choice(
    name: str, input_shape: Shape, num_classes: int, options: Mapping[str, Any]
) -> tuple[Architecture, dict[str, Any]]:
    """Return a registered architecture and all its options.

    Raises UnknownName, or ValueError for an input, class count or option that it cannot take.
    """
    entry = architectures.get(name)
    check_input(entry, input_shape, num_classes)
    complete = check_options(entry, options)
    if entry.check is not None:
        entry.check(input_shape, num_classes, **complete)
    return entry, complete


def load_layers() -> None:
    """Register the layers of this package, and of the folder of user-defined models, with Keras."""
    importlib.import_module(f"{__name__}.layers")  # also raises the recursion limit
    load_helpers(get_settings().architectures)


def build_model(
    name: str, input_shape: Shape | None = None, num_classes: int | None = None, **options: Any
) -> keras.Model:
    """Build a registered architecture; it outputs probabilities, see `core.architectures.classifier_output`.

    Args:
        name: of the architecture.
        input_shape: `(H, W, C)`; default: the architecture's native input.
        num_classes: default: the architecture's native number.
        options: of the architecture; defaults for those not given.

    Raises:
        UnknownName: no architecture has the name.
        ValueError: it cannot take the input, class count or an option, or what it builds is no classifier.
    """
    load_layers()
    entry = architectures.get(name)
    shape = entry.input_shape if input_shape is None else input_shape
    classes = entry.num_classes if num_classes is None else num_classes
    _, complete = checked_choice(name, shape, classes, options)
    return with_probabilities(entry.build(shape, classes, **complete), name, shape, classes)


def inference_model(model: keras.Model) -> keras.Model:
    """Return the model without auxiliary classifiers, sharing the weights; the model itself if it has none.

    This is the model to save and to export; loading it needs only `import core.architectures.layers`.
    """
    own_layers = importlib.import_module(f"{__name__}.layers")
    if not isinstance(model, own_layers.AuxiliaryModel):
        return model
    return importlib.import_module("keras").Model(model.inputs[0], model.outputs[0], name=model.name)
