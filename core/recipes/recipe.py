"""What a recipe is, and how its YAML file is checked: a published experiment as a lab notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from core.config import ConfigError, ExperimentConfig, yaml_text
from core.config.part import Part
from core.system.text import sentence, shortened

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

    images: how many images it was measured on, where that was published.
    """

    metric: Metric
    value: float
    to: float | None = None
    where: Line
    fold: int | None = Field(None, ge=1, le=100)
    images: int | None = Field(None, ge=1)

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


@dataclass(frozen=True)
class RecipeRun:
    """One training of a recipe, possibly repeated.

    Attributes:
        title: What tells it from the other runs of the recipe.
        settings: By dotted name, all that the recipe sets for it.
        config: With these settings.
        seeds, folds: How often it is repeated.
        published: Figures that were published for it.
        differs: What in it is not as in the publication; empty: nothing.
        weights_of: The title of the run of this recipe whose weights it starts from; empty: none.
    """

    title: str
    settings: Mapping[str, Any]
    config: ExperimentConfig
    seeds: int = 1
    folds: int = 0
    published: tuple[Published, ...] = ()
    differs: str = ""
    weights_of: str = ""


@dataclass(frozen=True)
class Recipe:
    """A complete, named experiment.

    Attributes:
        name: As the command line and the address of the page write it.
        description: What is asked, and how it is answered.
        paper: Where it was published; empty: nowhere.
        data: Which images it asks.
        hardware: What the published figures were made on; empty: not said.
        time: How long all runs take.
        differs: Sentences: what is not as in the publication.
        runs: In the order of their launch.
        claims: Published orders between them.
        variant_of: Of a variant for a machine without a GPU, the name of the recipe; empty: it is no variant.
        own: Whether it is a user's, from the home folder.
    """

    name: str
    title: str
    description: str
    runs: tuple[RecipeRun, ...]
    paper: str = ""
    data: DataAsked = field(default_factory=lambda: DataAsked(words="The dataset that its settings name."))
    hardware: str = ""
    time: TimeTaken = field(default_factory=TimeTaken)
    differs: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    variant_of: str = ""
    own: bool = False

    @property
    def configs(self) -> tuple[ExperimentConfig, ...]:
        """The config of each run, as it is before it is repeated."""
        return tuple(run.config for run in self.runs)

    @property
    def size(self) -> int:
        """How many trainings a launch makes."""
        return sum(run.seeds * max(1, run.folds) for run in self.runs)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets that its runs train on."""
        return tuple(dict.fromkeys(config.data.name for config in self.configs))

    @property
    def waits_for_data(self) -> bool:
        """Whether it cannot be launched before the user has named a dataset."""
        return YOURS in self.datasets

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with dotted settings changed in every run. Raises ConfigError."""
        runs = [
            replace(run, config=run.config.with_values(changes), settings={**run.settings, **changes})
            for run in self.runs
        ]
        return replace(self, runs=tuple(runs))


def of_text(name: str, text: str, own: bool = False) -> Recipe:
    """Read a recipe's file. Raises RecipeError, in one sentence, for a file that is none."""
    return _built(name, _parsed(name, text), own)


def cpu_variant(name: str, text: str, own: bool = False) -> Recipe | None:
    """Read the variant for machines without a GPU of a recipe's file; None where it has none."""
    parsed = _parsed(name, text)
    if parsed.cpu is None:
        return None
    whole = _built(name, parsed, own)
    try:
        smaller = whole.changed(parsed.cpu.settings)
    except ConfigError as error:
        raise RecipeError(f"The recipe '{name}', cpu: {error}") from error
    return replace(
        smaller,
        name=f"{name}{CPU}",
        title=f"{whole.title}, for CPUs",
        variant_of=name,
        differs=(parsed.cpu.differs, *whole.differs),
        time=TimeTaken(two_cores=parsed.cpu.two_cores),
    )


def _parsed(name: str, text: str) -> RecipeFile:
    try:
        tree = yaml_text.load(text)
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


def _built(name: str, parsed: RecipeFile, own: bool) -> Recipe:
    runs: list[RecipeRun] = []
    for entry in parsed.runs:
        settings = {**parsed.base, **entry.settings}
        if parsed.data.supplied:
            settings = {"data.name": YOURS, **settings}
        if entry.weights_of:
            settings = {"model.weights": LATER, **settings}
        try:
            config = ExperimentConfig().with_values(settings)
        except ConfigError as error:
            raise RecipeError(f"The recipe '{name}': {error}") from error
        title = entry.title or _title(config, [run.title for run in runs])
        runs.append(
            RecipeRun(
                title, settings, config, entry.seeds, entry.folds, entry.published, entry.differs,
                entry.weights_of,
            )
        )  # fmt: skip
    _check_titles(name, runs, parsed.claims)
    size = sum(run.seeds * max(1, run.folds) for run in runs)
    if size > MAX_TRAININGS:
        raise RecipeError(
            f"The recipe '{name}' must have at most {MAX_TRAININGS:,} trainings with all seeds and folds. "
            f"Received: {size:,}."
        )
    return Recipe(
        name, parsed.title, parsed.description, tuple(runs), parsed.paper, parsed.data, parsed.hardware,
        parsed.time, parsed.differs, parsed.claims, own=own,
    )  # fmt: skip


def _title(config: ExperimentConfig, taken: Sequence[str]) -> str:
    """Name a run after its model, with a number where an earlier run has the same."""
    title, number = config.title, 2
    while title in taken:
        title, number = f"{config.title} ({number})", number + 1
    return title


def _check_titles(name: str, runs: Sequence[RecipeRun], claims: Sequence[Claim]) -> None:
    titles = [run.title for run in runs]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise RecipeError(
            f"The recipe '{name}': each run must have a title of its own. Received: {shortened(twice)} twice."
        )
    asked = [one for claim in claims for one in (claim.better, claim.worse)]
    asked += [run.weights_of for run in runs if run.weights_of]
    unknown = next((one for one in asked if one not in titles), None)
    if unknown is not None:
        raise RecipeError(
            f"The recipe '{name}': it must name one of its runs, {', '.join(titles)}. "
            f"Received: {shortened(unknown)}."
        )
