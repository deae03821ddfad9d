"""What a search tries: an experiment, the values of its settings, a budget; one YAML file in the home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field, ValidationError, field_validator

from core import datasets
from core.config import ConfigError, ExperimentConfig, from_mapping, yaml_text
from core.config.part import Part
from core.datasets.choices import sizes
from core.launching.checks import check
from core.launching.sweep import REPEATED, SCALES, of_mapping, range_of, split, value_of
from core.recipes.saved import NAME
from core.system.files import write_whole
from core.system.settings import Settings
from core.system.text import Dumper, sentence, shortened

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class SearchPlan(Part):
    """A search.

    Attributes:
        config: Of the experiment whose settings are searched, as a mapping.
        space: By dotted name a list of values, or a range `{from, to, scale}`.
        trials, hours: The budget; 0 hours: no limit of time.
        at_once: How many trials train beside each other.
        seeds: How often each trial is trained, so that a lucky seed does not win.
        prune: Whether a trial ends whose validation accuracy is below the median of the others.
        macs: Whether few multiply-accumulates are a second objective; then nothing is pruned.
        seed: Of the draws.
    """

    config: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, Any] = Field(min_length=1)
    trials: int = Field(20, ge=1, le=1000)
    hours: float = Field(0.0, ge=0, le=10_000)
    at_once: int = Field(1, ge=1, le=64)
    seeds: int = Field(1, ge=1, le=20)
    prune: bool = True
    macs: bool = False
    seed: int = Field(0, ge=0, lt=2**31)

    @field_validator("space")
    @classmethod
    def _space_can_be_searched(cls, space: dict[str, Any]) -> dict[str, Any]:
        for name, values in space.items():
            _check(name, values)
        return space

    @property
    def experiment(self) -> ExperimentConfig:
        """The config that each trial changes. Raises ConfigError."""
        return from_mapping(self.config)

    @property
    def ends(self) -> list[ExperimentConfig]:
        """The experiment with each end of each range, and each value of each list. Raises ConfigError."""
        experiment = self.experiment
        return [
            experiment.with_values({name: value})
            for name, tried in self.space.items()
            for value in (tried if isinstance(tried, list) else (tried["from"], tried["to"]))
        ]

    @property
    def whole(self) -> set[str]:
        """The ranges of which whole numbers alone are tried: those of settings that are whole numbers.

        An option that only some models have may be unknown here; its range is whole where its ends are.
        """
        known = self.experiment.flat()
        return {
            name
            for name, tried in self.space.items()
            if isinstance(tried, dict)
            and all(isinstance(known.get(name, tried[end]), int) for end in ("from", "to"))
        }

    @property
    def most(self) -> int:
        """How many trials there will be: the budget, or all combinations where they are fewer."""
        whole = self.whole
        combinations = 1
        for name, tried in self.space.items():
            if isinstance(tried, list):
                combinations *= len(tried)
            elif name in whole:
                combinations *= int(tried["to"]) - int(tried["from"]) + 1
            else:
                return self.trials
        return min(self.trials, combinations)

    @property
    def prunes(self) -> bool:
        """Whether trials may end early: Optuna compares curves of one objective alone."""
        return self.prune and not self.macs


def _check(name: str, values: Any) -> None:
    """Raise ValueError, in one sentence, for values of a setting that cannot be searched."""
    if name in REPEATED:
        raise ValueError(f"{name} is not searched: give the search seeds. Received: {shortened(values)}.")
    if isinstance(values, list):
        of_mapping({name: values})
        return
    ends: list[Any] = [values.get(end) for end in ("from", "to")] if isinstance(values, Mapping) else []
    numbers = len(ends) == 2 and all(
        isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends
    )
    if not numbers or not ends[0] < ends[1] or values.get("scale", "linear") not in SCALES:
        raise ValueError(
            f"{name} must have a list, or a range from a number to a larger one. "
            f"Received: {shortened(values)}."
        )
    if values.get("scale") == "log" and ends[0] <= 0:
        raise ValueError(f"The range of {name} must be above 0 to be logarithmic. Received: {ends[0]}.")


def distributions(plan: SearchPlan) -> dict[str, BaseDistribution]:
    """Return the space in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    whole = plan.whole
    for name, values in plan.space.items():
        if isinstance(values, list):
            found[name] = CategoricalDistribution(values)
            continue
        low, high, log = values["from"], values["to"], values.get("scale") == "log"
        if name in whole:
            found[name] = IntDistribution(int(low), int(high), log=log)
        else:
            found[name] = FloatDistribution(low, high, log=log)
    return found


def space_of(texts: Sequence[str]) -> dict[str, Any]:
    """Read `["optimizer.learning_rate=0.0001..0.1/log", "model.name=lenet5,conv3"]`. Raises ConfigError."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, written = text.partition("=")
        if not sign or not name.strip() or not written.strip():
            raise ConfigError(f"A space must be written name=values. Received: {shortened(text)}.")
        if name.strip() in found:
            raise ConfigError(f"A setting can be searched once. Received: {shortened(name.strip())} twice.")
        span = range_of(written)
        if span is not None:
            span.pop("steps")
        found[name.strip()] = span or [value_of(one) for one in split(written)]
    return found


def plan_of(values: Mapping[str, Any]) -> SearchPlan:
    """Check a search. Raises ConfigError in one sentence."""
    try:
        plan = SearchPlan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] in ("missing", "too_short"):
            raise ConfigError("A search must have settings with their values. Received: none.") from error
        raise ConfigError(f"The search: {sentence(error)}") from error
    _ = plan.ends  # raises for a value that its setting refuses
    return plan


def begin(settings: Settings, name: str, values: Mapping[str, Any]) -> None:
    """Check and keep a new search, so that no trial is begun which could not be trained.

    Raises ConfigError, in one sentence, for a taken name and for settings with which no run would train or
    none would have a validation accuracy; nothing was written.
    """
    if name in names(settings):
        raise ConfigError(f"There is a search of this name already. Received: '{name}'.")
    plan = plan_of(values)
    for config in plan.ends:
        check(config)
        if not sizes(datasets.info(config.data.name), config.data)[1]:
            raise ConfigError(
                "A search compares validation accuracies, but no image is left to validate on. "
                f"Received: data.validation_fraction {config.data.validation_fraction}."
            )
    write(settings, name, plan)


def names(settings: Settings) -> list[str]:
    """Return the names of all searches of a home, in alphabetical order."""
    return sorted(path.stem for path in folder(settings).glob("*.yaml") if NAME.fullmatch(path.stem))


def read(settings: Settings, name: str) -> SearchPlan:
    """Read the plan of a search. Raises ConfigError where there is none, or it is damaged."""
    path = file_of(settings, name, "yaml")
    try:
        return plan_of(yaml_text.load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        known = ", ".join(names(settings)) or "none"
        raise ConfigError(f"Unknown search '{name}'. Known: {known}.") from error
    except (OSError, UnicodeDecodeError, yaml_text.YamlRefused) as error:
        raise ConfigError(f"The search '{name}' cannot be read: {error}.") from error


def write(settings: Settings, name: str, plan: SearchPlan) -> None:
    """Keep the plan of a search, a new one or with another budget. Raises ConfigError for a bad name."""
    settings.require_trainer("search")
    path = file_of(settings, name, "yaml")
    settings.check_writable()
    path.parent.mkdir(exist_ok=True)
    write_whole(path, yaml.dump(plan.model_dump(), Dumper=Dumper, sort_keys=False, allow_unicode=True))


def file_of(settings: Settings, name: str, ending: str) -> Path:
    """Return a file of a search. Raises ConfigError for a name that could leave the folder."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            "The name of a search must be at most 64 small letters, digits and the signs - and _, the first "
            f"a letter or digit. Received: {shortened(name)}."
        )
    return folder(settings) / f"{name}.{ending}"


def folder(settings: Settings) -> Path:
    """Return the folder of all searches of a home."""
    return settings.home / "searches"
