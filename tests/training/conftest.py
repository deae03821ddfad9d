"""Trainings in the process of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.config import ExperimentConfig
from core.launching.checks import chosen
from core.tracking import schema
from core.tracking.store import get_store


@pytest.fixture
def train() -> Callable[[ExperimentConfig], str]:
    """`train(config)`: a finished run of this process; returns its id. What it prints is in no log."""

    from core.training.train import train_and_evaluate  # imports TensorFlow

    def finish(config: ExperimentConfig) -> str:
        store = get_store()
        foreground = {schema.FOREGROUND: "true"}  # or a worker of this home would train it too
        run_id = store.create(config, foreground, chosen(config, store))
        train_and_evaluate(config, store, run_id)
        store.set_status(run_id, schema.FINISHED)
        return run_id

    return finish
