"""Which runs repeat one experiment, by their settings, and what their names say of it."""

from __future__ import annotations

import re
from collections.abc import Hashable

import numpy as np
import pandas as pd

from core.architectures import architectures
from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.tables import column

# Settings in which repeats of one experiment may differ.
REPEATED = ("name", "seed", "data.fold", "training.device", "training.images_on_device")
OPTIONS = "model.options."
PER_REPEAT = re.compile(r"( · fold \d+ of \d+)?( · seed \d+)?$")  # what a group adds to the names of its runs
DEFAULTS = {name: str(value) for name, value in ExperimentConfig().flat().items()}


def experiment_keys(runs: pd.DataFrame) -> list[tuple[Hashable, Hashable]]:
    """Two keys per run that repeats of one experiment share: on the same images, and on any.

    They stand for all settings but those in `REPEATED`, with defaults filled in and numbers in one spelling.
    The same images are the same version of the dataset and, without folds, the same split.
    """
    images = (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)
    settings = []
    for name in (name.removeprefix("params.") for name in runs.columns if name.startswith("params.")):
        if name not in (*REPEATED, *images):
            codes, found = _codes(column(runs, f"params.{name}", object).fillna(default_of(name, runs)))
            spelled, _ = _codes(pd.Series([normal(value) for value in found], dtype=object))
            settings.append(spelled[codes].tolist())
    for tag in (schema.NUMBER, schema.EXTENDS):
        settings.append(column(runs, f"tags.{tag}", object).notna().tolist())
    fingerprints, splits = (column(runs, f"params.{name}", object) for name in images[:2])
    folds = column(runs, "params.data.folds", object).fillna("0")
    # Folds are repeats. Where no split was logged, an older version ran: those runs are averaged apart.
    splits = splits.where((folds == "0") | splits.isna(), "logged")
    on_any = list(zip(*settings, strict=True))
    same = zip(on_any, *(_codes(values)[0].tolist() for values in (fingerprints, splits)), strict=True)
    return list(zip(same, on_any, strict=True))


def _codes(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct texts of a column, absent ones as empty: int codes `(n,)`, and the texts."""
    return pd.factorize(values.fillna("").to_numpy(dtype=object))


def default_of(setting: str, runs: pd.DataFrame) -> str | pd.Series:
    """Return the default of a setting that runs did not log: one value, or one per run's architecture."""
    if not setting.startswith(OPTIONS):
        return DEFAULTS.get(setting, "")
    models = column(runs, "params.model.name", object)
    return models.map({model: default_options(model).get(setting, "") for model in models.dropna().unique()})


def default_options(model: str) -> dict[str, str]:
    """Return the default options of an architecture by dotted setting; none for an unknown one."""
    if model not in architectures.names():
        return {}
    return {f"{OPTIONS}{option.name}": str(option.default) for option in architectures.get(model).options}


def normal(value: str) -> str:
    """Write a setting's value in one spelling: `1e-3` and `0.0010` alike, `True` and `true` too."""
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return value.lower() if value.lower() in ("true", "false") else value


def experiment_name(run_name: str) -> str:
    """Return the name of an experiment, given that of one of its repeats."""
    return PER_REPEAT.sub("", run_name)


def repeat_name(run_name: str) -> str:
    """Return which repeat of its experiment a run is, by its name: `fold 1 of 5 · seed 0`; empty for none."""
    found = PER_REPEAT.search(run_name)
    return found.group().removeprefix(" · ") if found else ""
