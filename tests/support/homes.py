"""Homes of the program with real stores, workers and trained runs in them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from core.config import ExperimentConfig
from core.inference.process import inference_of, onnx_inference_of
from core.jobs.worker import worker_of
from core.system import settings as settings_module
from core.system.daemon import Daemon
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.moved import follow_home
from core.tracking.store import get_store
from tests.support.open_databases import close_databases
from tests.support.waiting import wait_for

SMALL = ExperimentConfig().with_values({"training.epochs": 2, "training.batch_size": 128})


# A decay of 1 at a rate of 10 multiplies every weight by -9 a step: past the largest float after some 40.
DIVERGING = {
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 10,
    "optimizer.weight_decay": 1,
    "training.epochs": 20,
}


@contextmanager
def using(folder: Path) -> Iterator[Settings]:
    """Make `folder` the home of this process and of all that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHLAB_HOME", str(folder))
        for variable in list(os.environ):
            named = variable.startswith("ARCHLAB_") and variable != "ARCHLAB_HOME"
            if named or variable == "MLFLOW_TRACKING_URI":
                patch.delenv(variable)
        patch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it: whatever it becomes ends with the block
        patch.delenv("MLFLOW_TRACKING_URI")
        patch.setenv("ARCHLAB_SLOTS", "1")  # on a machine with many cores too
        patch.setenv("ARCHLAB_SPARE_MINUTES", "0")  # a home where nothing trains imports no Keras
        settings_module.get_settings.cache_clear()
        try:
            yield settings_module.get_settings()
        finally:
            close_databases(folder)
    settings_module.get_settings.cache_clear()


def _has_ended(daemon: Daemon) -> bool:
    return not daemon.is_running()


def stop_processes(settings: Settings) -> None:
    """End the worker and the prediction process of a folder."""
    for daemon in (worker_of(settings), inference_of(settings), onnx_inference_of(settings)):
        daemon.stop()
        wait_for(partial(_has_ended, daemon), 30)


def copy_store(source: Path, target: Settings) -> None:
    """Make the database `source` of another home the store of `target`; files are looked for in `target`."""
    target.home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target.database)
    with closing(sqlite3.connect(target.database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    follow_home(target)


def snapshot(settings: Settings, file: Path) -> None:
    """Write all that the store of `settings` says into one database file."""
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(file),))


@dataclass(frozen=True)
class Trained:
    """A home in which one run was trained by the real queue and worker."""

    settings: Settings
    run_id: str


def run_with_the_same_model(trained: Trained, name: str) -> str:
    """Log a newer run with the weights and images of `trained`, and a worse validation accuracy."""
    import keras

    store = get_store()
    run_id = store.create(ExperimentConfig().with_values({"name": name, "data.name": "digits"}))
    params = store.run(trained.run_id).data.params
    logged = (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)
    store.log_params(run_id, {one: params[one] for one in logged if one in params})
    store.log_json(run_id, store.read_json(trained.run_id, schema.DATA), schema.DATA)
    store.models.log(run_id, keras.saving.load_model(store.models.file(trained.run_id), compile=False))
    store.log_metrics(run_id, {"best_val_accuracy": 0.01, "val_accuracy": 0.01, "loss": 1.0}, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id
