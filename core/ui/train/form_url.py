"""The address of the Train form filled in like a run: the form's choices stand in its URL."""

from __future__ import annotations

import pandas as pd

from core.config import ExperimentConfig
from core.experiment.pretrained import RUN
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
    default, names = ExperimentConfig().flat(), dict(NAMES)
    for part in config.component_parts:
        for setting in part.component.settings:
            path = f"{part.part}.{setting.name}"
            default[path] = part.component.default(setting)
            names[path] = setting_key(part.component, setting)
    found: dict[str, str] = {}
    for path, value in config.flat().items():
        if path == "model.weights":
            found |= _weights(str(value), runs)
        elif path.startswith("model.options."):
            found[f"{config.model.name}.{path.removeprefix('model.options.')}"] = _text(value)
        elif path in ALWAYS or value != default.get(path):
            shown = SHOWN.get(path, {}).get(str(value), value)
            found[names.get(path, path.rpartition(".")[2])] = _text(shown)
    return found


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
