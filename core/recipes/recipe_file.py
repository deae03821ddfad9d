"""What the YAML file of a recipe may hold, and how it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from core.config import ConfigError, yaml_text
from core.config.part import Part
from core.system.text import sentence

Metric = Literal[
    "test_accuracy",
    "test_error",  # 1 - test_accuracy
    "test_loss",
    "val_accuracy",  # of the weights that are kept
    "val_loss",  # of the last epoch, as `accuracy` and `loss`
    "accuracy",  # of the training images
    "loss",
    "images_per_second",
    "parameters",
]
HIGHER_IS_WORSE = ("test_error", "test_loss", "val_loss", "loss")
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
NOT_MEASURED = "not measured"
YOURS = "yours"  # the name of a dataset that has to be supplied
LATER = "run:later"  # the weights of a run that is not trained yet
CPU = "-cpu"  # the end of a variant's name
MAX_RUNS = 100
MAX_TRAININGS = 1000  # with all seeds and folds: as many as one launch makes


class RecipeError(ConfigError):
    """A recipe cannot be read, kept or launched; the message is one sentence."""


class Published(Part):
    """A published figure. to: the upper end where a range was published. fold: from 1, of a run over folds.

    images: how many images it was measured on, where that was published. decimals: digits behind its point,
    as it was written; it stands for all that is rounded to it.
    """

    metric: Metric
    value: float
    to: float | None = None
    where: Line
    fold: int | None = Field(None, ge=1, le=100)
    images: int | None = Field(None, ge=1)
    decimals: int | None = Field(None, ge=0, le=20)

    @property
    def half_unit(self) -> float:
        """Half a unit of its last digit."""
        decimals = _decimals(repr(self.value)) if self.decimals is None else self.decimals
        return 0.5 / 10**decimals

    @model_validator(mode="after")
    def _range_ascends(self) -> Published:
        if self.to is not None and self.to < self.value:
            raise ValueError(f"`to` must be at least `value`, {self.value:g}. Received: {self.to:g}.")
        return self


class Claim(Part):
    """A published order: one run is better than another by a metric. words: as it was published."""

    metric: Metric
    better: Line
    worse: Line
    words: Text


class DataAsked(Part):
    """Which images a recipe asks. supplied: they are the user's own; any dataset that matches is accepted.

    shape: `[H, W, C]` of the stored images; at_least: larger images match as well.
    """

    words: Text
    supplied: bool = False
    classes: int | None = Field(None, ge=2)
    shape: tuple[int, int, int] | None = None
    at_least: bool = False

    def matches(self, shape: Sequence[int], classes: int) -> bool:
        """Return whether a dataset of images of a shape `(H, W, C)` in so many classes fits."""
        if self.classes is not None and classes != self.classes:
            return False
        if self.shape is None:
            return True
        height, width, channels = self.shape
        if shape[2] != channels:
            return False
        if self.at_least:
            return shape[0] >= height and shape[1] >= width
        return tuple(shape[:2]) == (height, width)


class TimeTaken(Part):
    """How long all runs together take, in words, where that was measured."""

    two_cores: Line = NOT_MEASURED
    gpu: Line = NOT_MEASURED


class CpuVariant(Part):
    """Settings with which the recipe fits a machine without a GPU, and what that changes."""

    settings: dict[str, Any]
    differs: Text
    two_cores: Line = NOT_MEASURED


class RunEntry(Part):
    """One run of a recipe's file. weights_of: the title of the run whose trained weights it starts from."""

    title: Annotated[str, StringConstraints(max_length=120, strip_whitespace=True)] = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    seeds: int = Field(1, ge=1, le=100)
    folds: int = Field(0, ge=0, le=100)
    published: tuple[Published, ...] = ()
    differs: Annotated[str, StringConstraints(max_length=2000)] = ""
    weights_of: Annotated[str, StringConstraints(max_length=120)] = ""


class RecipeFile(Part):
    """The whole file."""

    title: Line
    description: Text
    paper: Annotated[str, StringConstraints(max_length=500)] = ""
    hardware: Annotated[str, StringConstraints(max_length=500)] = ""  # of what was published
    time: TimeTaken = TimeTaken()
    data: DataAsked = DataAsked(words="The dataset that its settings name.")
    differs: tuple[Text, ...] = ()
    base: dict[str, Any] = Field(default_factory=dict)
    runs: tuple[RunEntry, ...] = Field(min_length=1, max_length=MAX_RUNS)
    claims: tuple[Claim, ...] = ()
    cpu: CpuVariant | None = None

    @field_validator("runs", mode="before")
    @classmethod
    def _settings_alone(cls, runs: Any) -> Any:
        """An entry whose keys are dotted settings stands for a run with these."""
        if not isinstance(runs, (list, tuple)):
            return runs
        return [
            {"settings": run}
            if isinstance(run, Mapping) and not (RunEntry.model_fields.keys() & run)
            else run
            for run in runs
        ]


def parsed(name: str, text: str) -> RecipeFile:
    try:
        node = yaml_text.compose(text)
        for figure in _figures(node):
            _write_decimals(figure)
        tree = None if node is None else yaml_text.construct(node)
    except yaml_text.YamlRefused as error:
        raise RecipeError(f"The recipe '{name}' {error}.") from error
    if not isinstance(tree, Mapping):
        raise RecipeError(
            f"The recipe '{name}' must be a mapping with title, description and runs. "
            f"Received: {type(tree).__name__}."
        )
    try:
        return RecipeFile.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "missing":
            where = ".".join(map(str, first["loc"]))
            raise RecipeError(f"The recipe '{name}' must have '{where}'. Received: none.") from error
        raise RecipeError(f"The recipe '{name}': {sentence(error)}") from error


def _figures(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Yield the published figures of a file that is not checked yet."""
    for run in _items(_under(root, "runs")):
        for figure in _items(_under(run, "published")):
            if isinstance(figure, yaml.MappingNode):
                yield figure


def _under(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _write_decimals(figure: yaml.MappingNode) -> None:
    """Add to a figure how many decimals its value is written with: 0.840 and 0.84 are one number in YAML."""
    value = _under(figure, "value")
    if not isinstance(value, yaml.ScalarNode) or _under(figure, "decimals") is not None:
        return
    with suppress(InvalidOperation):  # no number, which is refused later
        many, mark = str(_decimals(value.value)), value.start_mark
        key = yaml.ScalarNode("tag:yaml.org,2002:str", "decimals", mark)
        figure.value.append((key, yaml.ScalarNode("tag:yaml.org,2002:int", many, mark)))


def _decimals(text: str) -> int:
    """Return the digits behind the point of a number. Raises InvalidOperation for what is none."""
    exponent = Decimal(text).as_tuple().exponent
    return min(20, max(0, -exponent)) if isinstance(exponent, int) else 0
