"""What a recipe is: a published experiment as a lab notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.config import ConfigError, ExperimentConfig
from core.recipes.recipe_file import (
    CPU,
    LATER,
    MAX_TRAININGS,
    YOURS,
    Claim,
    DataAsked,
    Published,
    RecipeError,
    RecipeFile,
    TimeTaken,
    parsed,
)
from core.system.text import shortened


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
    return _built(name, parsed(name, text), own)


def cpu_variant(name: str, text: str, own: bool = False) -> Recipe | None:
    """Read the variant for machines without a GPU of a recipe's file; None where it has none."""
    file = parsed(name, text)
    if file.cpu is None:
        return None
    whole = _built(name, file, own)
    try:
        smaller = whole.changed(file.cpu.settings)
    except ConfigError as error:
        raise RecipeError(f"The recipe '{name}', cpu: {error}") from error
    return replace(
        smaller,
        name=f"{name}{CPU}",
        title=f"{whole.title}, for CPUs",
        variant_of=name,
        differs=(file.cpu.differs, *whole.differs),
        time=TimeTaken(two_cores=file.cpu.two_cores),
    )


def _built(name: str, file: RecipeFile, own: bool) -> Recipe:
    runs: list[RecipeRun] = []
    for entry in file.runs:
        settings = {**file.base, **entry.settings}
        if file.data.supplied:
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
    _check_titles(name, runs, file.claims)
    size = sum(run.seeds * max(1, run.folds) for run in runs)
    if size > MAX_TRAININGS:
        raise RecipeError(
            f"The recipe '{name}' must have at most {MAX_TRAININGS:,} trainings with all seeds and folds. "
            f"Received: {size:,}."
        )
    return Recipe(
        name, file.title, file.description, tuple(runs), file.paper, file.data, file.hardware,
        file.time, file.differs, file.claims, own=own,
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
