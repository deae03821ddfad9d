"""ExperimentConfig: everything one training depends on, checked where it enters, to and from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from core.config import yaml_text
from core.config.learning import OptimizerConfig, RegularizationConfig, ScheduleConfig, TrainingConfig
from core.config.part import ComponentPart, Part
from core.config.parts import AugmentationConfig, DataConfig, ModelConfig, Scalar
from core.system.text import MAX_RECEIVED, Dumper, as_number, sentence, shortened


class ConfigError(ValueError):
    """A configuration that cannot be; the message names the setting, the rule and the value received."""


class ExperimentConfig(Part):
    """One training, whole."""

    name: str = Field("", max_length=200)  # empty: the model and the dataset name the run
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    regularization: RegularizationConfig = RegularizationConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _transfer_fits_the_training(self) -> ExperimentConfig:
        model = self.model
        if not self.training.steps and model.unfreeze_epoch >= self.training.epochs:
            raise ValueError(
                "model.unfreeze_epoch must be less than training.epochs, "
                f"{self.training.epochs}. Received: {model.unfreeze_epoch}."
            )
        if model.bottleneck and (model.freeze != "all" or model.unfreeze_epoch):
            raise ValueError(
                "model.bottleneck needs a backbone that is frozen to the end: model.freeze all and "
                f"model.unfreeze_epoch 0. Received: {model.freeze} and {model.unfreeze_epoch}."
            )
        if model.bottleneck and self.augmentation != AugmentationConfig():
            raise ValueError(
                "model.bottleneck computes every image once, so augmentation must be off. "
                f"Received: {self.augmentation.model_dump(exclude_defaults=True)}."
            )
        return self

    @property
    def title(self) -> str:
        """The run's name: the person's own, or model and dataset."""
        return self.name or f"{self.model.name} on {self.data.name}"

    @property
    def component_parts(self) -> tuple[ComponentPart, ...]:
        """The parts that choose an entry of `core.components`."""
        return self.data, self.optimizer, self.schedule, self.training

    def to_yaml(self) -> str:
        return yaml.dump(self.model_dump(), Dumper=Dumper, sort_keys=False, allow_unicode=True)

    def flat(self) -> dict[str, Scalar]:
        """Every setting by its dotted name, with the value that is used where none is written down."""
        found = _flatten(self.model_dump(), "")
        for part in self.component_parts:
            found |= {f"{part.part}.{name}": value for name, value in part.resolved.items()}
        return found

    def with_values(self, changes: Mapping[str, Any]) -> ExperimentConfig:
        """A copy with dotted settings changed. Raises ConfigError as `from_mapping` does."""
        tree = self.model_dump()
        for path, value in changes.items():
            *parents, leaf = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
                if not isinstance(node, dict):
                    raise ConfigError(f"Unknown setting {shortened(path)}.")
            node[leaf] = value
        return from_mapping(tree)


def from_mapping(tree: Any) -> ExperimentConfig:
    """Check a nested mapping. Raises ConfigError with one sentence for the first thing that is wrong."""
    if not isinstance(tree, Mapping):
        raise ConfigError(f"A config must be a mapping of settings. Received: {type(tree).__name__}.")
    try:
        return ExperimentConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(sentence(error)) from error


def from_yaml(text: str) -> ExperimentConfig:
    """Read a config as `ExperimentConfig.to_yaml` writes it; missing settings take their defaults."""
    return from_mapping(tree_of(text))


def tree_of(text: str) -> Any:
    """Read the text of a config, unchecked; an empty one as no settings. Raises ConfigError."""
    try:
        tree = yaml_text.load(text)
    except yaml_text.YamlRefused as error:
        raise ConfigError(f"The config {error}.") from error
    return {} if tree is None else tree


def is_older(config: ExperimentConfig) -> bool:
    """Return whether a version without `data.preprocessing: auto` wrote a config, by settings that it lacks.

    config: as it was read; a launch writes every setting that its version has.
    """
    written = config.data.model_fields_set | config.model.model_fields_set
    return written.isdisjoint(("keep_together", "allow_overlap"))


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`["optimizer.learning_rate=0.01"]` as a mapping; values are read as YAML. Raises ConfigError."""
    changes = {}
    for text in assignments:
        path, sign, value = text.partition("=")
        if not sign or not path:
            raise ConfigError(f"A setting must be written name=value. Received: {shortened(text)}.")
        try:
            changes[path.strip()] = as_number(yaml_text.load(value))
        except yaml_text.YamlRefused as error:
            name = path[:MAX_RECEIVED]
            raise ConfigError(f"The value of {name} {error.reason}. Received: {shortened(value)}.") from error
    return changes


def _flatten(tree: Mapping[str, Any], prefix: str) -> dict[str, Scalar]:
    flat: dict[str, Scalar] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
