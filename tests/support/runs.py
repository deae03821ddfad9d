"""Runs as the training logs them, without a training: rows of the frame of runs, and `Run`s."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.run import Run, runs_of

OURS = f"tags.{schema.NUMBER}"
FINGERPRINT, SPLIT = f"params.{schema.FINGERPRINT}", f"params.{schema.SPLIT}"
KINDS = ("params", "metrics", "tags", "status", "run_id", "name")


def run(name: str, validation: float, test: float = 0.5, **changes: Any) -> dict[str, Any]:
    """A finished run; `changes` are settings by their dotted name, or columns of the frame."""
    columns = {key: value for key, value in changes.items() if key.partition(".")[0] in KINDS}
    settings = {key: value for key, value in changes.items() if key not in columns}
    config = ExperimentConfig().with_values({"name": name, **settings})
    params = {f"params.{key}": str(value) for key, value in config.flat().items()}
    logged = {FINGERPRINT: "v1", SPLIT: f"fold {config.data.fold} of {config.data.folds}", OURS: "1"}
    metrics = {"metrics.best_val_accuracy": validation, "metrics.test_accuracy": test}
    return {"run_id": name, "name": name, "status": schema.FINISHED, **params, **logged, **metrics, **columns}


def as_run(row: dict[str, Any]) -> Run:
    """The run of one row of the frame."""
    return runs_of(pd.DataFrame([row]))[0]


def not_edited(name: str, fingerprint: str) -> str:
    """The import of a version of a dataset of which no edit is known."""
    return fingerprint
