"""A script repeats a run without this program: same weights, same batches, same losses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import ExperimentConfig
from core.datasets import curate, load
from core.exporting.original import Refused
from core.exporting.script import refusals, write
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from core.training.train import train_and_evaluate
from tests.support.homes import Trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # processes of their own import TensorFlow

# Of a first epoch with some ten steps: both compute the same in float32, in other orders of summation, and
# errors of 1e-7 grow with each step. Another seed changes the loss by some per cent.
TOLERANCE = 1e-3


def repeated(folder: Path) -> list[dict[str, Any]]:
    """What the script prints in a Python that knows nothing of this program, in a folder of its own."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ARCHLAB"))}
    done = subprocess.run(
        [sys.executable, "-I", "-B", "train.py", "--epochs", "1"],
        cwd=folder,
        env=known | {"CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_repeats(store: RunStore, run_id: str, folder: Path) -> None:
    assert write(store, run_id, folder).difference is None
    first, tested = repeated(folder)
    history = frames.histories(store, [run_id], ["loss", "val_loss"])
    logged = history[history["step"] == 1].set_index("metric")["value"]
    for name in ("loss", "val_loss"):
        assert first[name] == pytest.approx(logged[name], rel=TOLERANCE)
    assert 0.1 < tested["test_accuracy"] <= 1
    assert {path.name for path in folder.iterdir()} == {"train.py", "data.npz", "model.keras"}
    with np.load(folder / "data.npz") as data:
        rows = np.concatenate([data[name] for name in ("train", "validation", "test")])
        assert len(data["images"]) == len(data["labels"]) == len(rows)
        assert np.array_equal(np.sort(rows), np.arange(len(rows)))


def test_it_repeats_the_first_epoch(trained: Trained, tmp_path: Path) -> None:
    assert_repeats(get_store(), trained.run_id, tmp_path / "script")


def test_it_repeats_batch_normalization_a_schedule_and_another_optimizer(
    store: RunStore, tmp_path: Path
) -> None:
    load("digits")  # it is made where it is first asked for
    curate.leave_out("digits", [0, 5])  # which the script does not get
    values = {"model.name": "resnet_cifar", "model.options.depth": 8, "training.epochs": 1}
    values |= {"optimizer.name": "sgd", "optimizer.learning_rate": 0.02, "schedule.name": "cosine"}
    values |= {"training.batch_size": 256, "training.device": "cpu", "schedule.warmup_epochs": 0.5}
    config = ExperimentConfig().with_values(values)
    run_id = store.create(config)
    train_and_evaluate(config, store, run_id)
    store.set_status(run_id, schema.FINISHED)
    assert_repeats(store, run_id, tmp_path / "script")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"augmentation.rotation": 5}, r"The run augments its images \(rotation\)"),
        ({"training.early_stopping": 3}, "can only have training.early_stopping 0, and the run has 3"),
        ({"regularization.l2_dense": 0.1}, "has L2 penalties"),
        ({"model.weights": "imagenet", "model.name": "resnet50"}, "can only have model.weights none"),
    ],
)
def test_what_it_cannot_say_is_refused_in_a_sentence(values: dict[str, Any], reason: str) -> None:
    assert re.search(reason, " ".join(refusals(ExperimentConfig().with_values(values))))


def test_a_run_that_continues_another_one_is_refused(store: RunStore, tmp_path: Path) -> None:
    run_id = store.create(ExperimentConfig(), {schema.EXTENDS: "0" * 32})
    store.set_status(run_id, schema.FINISHED)
    with pytest.raises(Refused, match="continues the training of another run"):
        write(store, run_id, tmp_path / "script")


def test_another_dataset_than_that_of_the_run_is_refused(own: Trained, tmp_path: Path) -> None:
    curate.leave_out("digits", [0])
    with pytest.raises(Refused, match="The dataset of the run was replaced or edited since"):
        write(get_store(), own.run_id, tmp_path / "script")
    assert not (tmp_path / "script").exists()
