"""The Train form filled in like a run: what its widgets show, and its address, in which they stand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.analysis.experiments import experiment_name
from core.config import ExperimentConfig
from core.experiment.pretrained import RUN
from core.ui.common.fields import ZERO_IS_OFF
from core.ui.common.words import run_labels
from core.ui.train.augmentation import TEST_TIME_WORDS, preprocessing_words
from core.ui.train.component_fields import setting_key
from core.ui.train.data_choices import IMBALANCE_WORDS, KEEP_TOGETHER_WORDS

# Settings that stand in the URL by another word than the last one of their path.
NAMES = {
    "data.name": "dataset",
    "model.name": "architectures",
    "optimizer.name": "optimizer",
    "schedule.name": "schedule",
    "schedule.warmup_epochs": "warmup",
}
ALWAYS = ("data.name", "model.name", "model.freeze_names")  # the form begins with others than the config
OFF_BY_DEFAULT = ZERO_IS_OFF | {
    "data.folds",
    "augmentation.random_crop",
    "model.resize",
    "model.unfreeze_epoch",
}
# Settings whose widgets begin with another value, and are drawn only where a choice needs them.
UNSEEN: dict[str, Any] = {"model.freeze_names": "", "model.freeze_layers": 0}

# Settings whose choices stand in the URL by the words that the form shows.
SHOWN = {
    "data.imbalance": IMBALANCE_WORDS,
    "data.keep_together": KEEP_TOGETHER_WORDS,
    "data.preprocessing": preprocessing_words(),
    "augmentation.test_time": TEST_TIME_WORDS,
}


def query(config: ExperimentConfig, runs: pd.DataFrame | None = None) -> dict[str, str]:
    """The parameters of the page's address: all that is not as the form begins.

    runs: all runs, as `stored_runs.columns()` gives them; a run to start from is chosen by its name among
        them.
    """
    default, names = _defaults(config)
    found: dict[str, str] = {}
    for path, value in _settings(config).items():
        if path == "model.weights":
            found |= _weights(str(value), runs)
        elif path.startswith("model.options."):
            found[f"{config.model.name}.{path.removeprefix('model.options.')}"] = _text(value)
        elif path in ALWAYS or value != default.get(path):
            found[names.get(path, path.rpartition(".")[2])] = _text(_shown(path, value))
    return found


def filled(config: ExperimentConfig, runs: pd.DataFrame | None = None) -> dict[str, Any]:
    """The values of the widgets by their keys, those that are as the form begins included.

    A number that reads "off" is None.
    """
    _, names = _defaults(config)
    found: dict[str, Any] = {}
    for path, value in _settings(config).items():
        key = names.get(path, path.rpartition(".")[2])
        if path == "model.weights":
            found |= {"weights": "none", **_weights(str(value), runs)}
        elif path == "model.name":
            found[key] = [value]
        elif path.startswith("model.options."):
            found[f"{config.model.name}.{path.removeprefix('model.options.')}"] = value
        elif path in OFF_BY_DEFAULT and not value:
            found[key] = None
        elif path not in UNSEEN or value != UNSEEN[path]:
            found[key] = _shown(path, value)
    return found


def _settings(config: ExperimentConfig) -> dict[str, Any]:
    """Return all settings by dotted name, without what a launch added to the name of a repeat."""
    name = experiment_name(config.name)
    unnamed = name != config.name and name == config.with_values({"name": ""}).title
    return {**config.flat(), "name": "" if unnamed else name}


def _defaults(config: ExperimentConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the form begins with, and the words of the address that are not the last of their path."""
    default, names = ExperimentConfig().flat(), dict(NAMES)
    for part in config.component_parts:
        for setting in part.component.settings:
            path = f"{part.part}.{setting.name}"
            default[path] = part.component.default(setting)
            names[path] = setting_key(part.component, setting)
    return dict(default), names


def _shown(path: str, value: Any) -> Any:
    """Return the word that the form shows for a choice, else the value."""
    return SHOWN.get(path, {}).get(str(value), value)


def _weights(source: str, runs: pd.DataFrame | None) -> dict[str, str]:
    if source == "none":
        return {}
    if source == "imagenet":
        return {"weights": source}
    if source.startswith(RUN):
        run_id = source.removeprefix(RUN)
        labels = {} if runs is None else run_labels(runs[runs["run_id"].str.startswith(run_id)])
        return {"weights": "run", "weights_run": next(iter(labels.values()), run_id)}
    return {"weights": "file", "weights_file": source}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
