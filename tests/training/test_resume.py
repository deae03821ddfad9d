"""A run that was killed ends as the run that was not: same metrics, same weights, a history without a gap."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.config import ConfigError, ExperimentConfig
from core.launching.continuing import extend, resume
from core.launching.launch import launch, train_here
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore
from tests.support.processes import training_process
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine

# Everything that has a memory: slots, averages, random states, a schedule, patience, the best weights, and
# batch normalization, which this head has.
CONFIG = ExperimentConfig().with_values(
    {
        "model.head": "flatten_dense",
        "training.epochs": 14,
        "training.batch_size": 64,
        "training.deterministic": True,
        "training.early_stopping": 25,
        "augmentation.pad_and_crop": 2,
        "augmentation.mixup": 0.3,
        "regularization.dropout": 0.3,
        "optimizer.ema": 0.9,
        "schedule.name": "cosine",
        "schedule.plateau_patience": 2,
    }
)


def history(store: RunStore, run_id: str) -> pd.DataFrame:
    """What does not depend on the clock; one row a logged value."""
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "best_val_accuracy")
    found = frames.histories(store, [run_id], names)
    return found[["metric", "step", "value"]]


def of_the_test(store: RunStore, run_id: str) -> dict[str, float]:
    metrics = store.run(run_id).data.metrics
    return {name: value for name, value in metrics.items() if name.startswith("test_")}


def test_a_killed_run_ends_as_one_that_was_not(store: RunStore) -> None:
    whole, state = train_here(CONFIG)
    assert state == schema.FINISHED, store.read_text(whole, schema.LOG)
    (killed,) = launch([CONFIG])
    wait_for(lambda: store.read.last_step(killed) >= 2)
    os.kill(training_process(killed), signal.SIGKILL)
    wait_for(lambda: not store.state(killed).active, 30)
    assert store.state(killed).status == schema.FAILED
    resume(store, killed)
    wait_for(lambda: not store.state(killed).active)
    assert store.state(killed).status == schema.FINISHED, store.read_text(killed, schema.LOG)
    assert schema.FAILURE not in store.state(killed).tags
    assert "continuing after epoch" in store.read_text(killed, schema.LOG)
    pd.testing.assert_frame_equal(history(store, killed), history(store, whole), check_exact=True)
    steps = history(store, killed).query("metric == 'loss'")["step"].tolist()
    assert steps == list(range(1, 15))
    assert of_the_test(store, killed) == of_the_test(store, whole)
    first, second = (
        pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS)) for run_id in (whole, killed)
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_a_finished_run_is_trained_further_with_its_history(
    store: RunStore, train: Callable[[ExperimentConfig], str]
) -> None:
    short = CONFIG.with_values(
        {
            "schedule.name": "constant",
            "training.epochs": 2,
            "training.batch_size": 128,
            "training.deterministic": False,  # it would stay on in this process
        }
    )
    run_id = train(short)
    longer = extend(store, run_id, 2)
    wait_for(lambda: not store.state(longer).active)
    assert store.state(longer).status == schema.FINISHED, store.read_text(longer, schema.LOG)
    both = history(store, longer)
    assert both.query("metric == 'loss'")["step"].tolist() == [1, 2, 3, 4]
    before = both[both["step"] <= 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, history(store, run_id), check_exact=True)
    assert "continuing after epoch 2" in store.read_text(longer, schema.LOG)


def test_a_run_that_stopped_early_is_extended_from_where_it_stopped(store: RunStore) -> None:
    run_id = store.create(CONFIG)
    store.log_metrics(run_id, {"loss": 1}, step=7)
    store.settings.checkpoint(run_id).parent.mkdir(parents=True)
    store.settings.checkpoint(run_id).touch()
    store.set_status(run_id, schema.FINISHED)
    longer = extend(store, run_id, 5, stretch=True)
    store.request_cancel(longer)
    assert store.config(longer).training.epochs == 12


def test_a_range_test_is_nothing_to_go_on_from(store: RunStore) -> None:
    run_id = store.create(CONFIG.with_values({"schedule.name": "range_test"}))
    store.set_status(run_id, schema.FINISHED)
    with pytest.raises(ConfigError, match="A range test trains no model that could be extended"):
        extend(store, run_id, 5)
    with pytest.raises(ConfigError, match="only tried learning rates"):
        launch([CONFIG.with_values({"model.weights": f"run:{run_id}"})])


def test_what_cannot_go_on_is_refused(store: RunStore) -> None:
    waiting = store.create(CONFIG)
    with pytest.raises(ConfigError, match="Only a run that failed or was cancelled can be resumed"):
        resume(store, waiting)
    with pytest.raises(ConfigError, match="Only a finished run can be extended"):
        extend(store, waiting, 3)
    store.set_status(waiting, schema.FINISHED)
    with pytest.raises(ConfigError, match="has no checkpoint on this machine"):
        extend(store, waiting, 3)
    with pytest.raises(ConfigError, match=r"further epochs must be at least 1. Received: 0"):
        extend(store, waiting, 0)


def test_a_changed_dataset_is_not_gone_on_with(store: RunStore) -> None:
    run_id = store.create(CONFIG)
    store.log_json(run_id, {"fingerprint": "of other images"}, schema.DATA)
    store.set_status(run_id, schema.KILLED)
    with pytest.raises(ConfigError, match="The dataset 'digits' was changed since this run began"):
        resume(store, run_id)
    assert store.state(run_id).status == schema.KILLED


def test_a_draft_of_a_checkpoint_is_never_read(settings: Settings, tmp_path: Path) -> None:
    from core.training.checkpoint import Checkpoint

    path = tmp_path / "checkpoint.npz"
    path.with_name("checkpoint.npz.1.draft").write_bytes(b"half")
    assert Checkpoint(path).read() is None
    np.savez(path, facts=np.array('{"stage": 1, "begun": 2, "epoch": 3, "callbacks": {}}'))
    saved = Checkpoint(path).read()
    assert saved is not None
    assert (saved.stage, saved.begun, saved.epoch) == (1, 2, 3)
    whole = path.read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (b"", b"noise", whole[:-30], changed):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checkpoint\.npz is damaged"):
            Checkpoint(path).read()
