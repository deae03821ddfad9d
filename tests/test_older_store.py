"""What an earlier version logged is read, compared, shown, predicted with and continued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import datasets
from core.analysis.comparable import compare
from core.inference.client import predict
from core.launching.continuing import resume
from core.system.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from core.ui.compare import tables
from tests.support.homes import stop_processes, using
from tests.support.images import png
from tests.support.older_store import restore
from tests.support.pages import PAGES, opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

ENDS = {
    "finished": schema.FINISHED,
    "own layers": schema.FINISHED,
    "failed": schema.FAILED,
    "folds": schema.FINISHED,
    "folds · fold 1 of 2": schema.FINISHED,
    "folds · fold 2 of 2": schema.FINISHED,
    "cancelled": schema.KILLED,
}
FOLDS = {"folds · fold 1 of 2": 0.10028, "folds · fold 2 of 2": 0.11699}  # test accuracies


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Settings]:
    """A home of its own with the store of the earlier version."""
    restore(PROGRAM / "tests" / "older_store", tmp_path / "home")
    with using(tmp_path / "home") as settings:
        yield settings
        stop_processes(settings)


def run_named(store: RunStore, name: str) -> str:
    (run_id,) = [one for one in store.read.run_ids() if store.state(one).name == name]
    return run_id


def test_its_runs_are_read_as_they_were_logged(older: Settings) -> None:
    store = get_store()
    assert {store.state(one).name: store.state(one).status for one in store.read.run_ids()} == ENDS
    failed = store.state(run_named(store, "failed"))
    assert failed.tags[schema.FAILURE].startswith("FloatingPointError: The loss became nan in epoch 1.")
    (children,) = store.read.children(run_named(store, "folds")).values()
    assert [store.state(child.run_id).name for child in children] == [
        "folds · fold 1 of 2",
        "folds · fold 2 of 2",
    ]

    finished = run_named(store, "finished")
    config = store.config(finished)
    assert config.flat()["data.preprocessing"] == "standardize"
    assert config.model.name == "declarative"
    assert "test_ece" in store.run(finished).data.metrics
    assert store.read_json(finished, schema.DATA)["fingerprint"] == datasets.info("digits").fingerprint
    history = frames.histories(store, [finished], ["loss", "val_accuracy"])
    assert history.groupby("metric")["step"].apply(list).to_dict() == {"loss": [1, 2], "val_accuracy": [1, 2]}


def test_its_runs_are_compared(older: Settings) -> None:
    runs = frames.runs(get_store())
    table = tables.runs_table(runs).set_index(runs["name"].rename())
    accuracies = {"finished": 0.80223, "own layers": 0.67409, **FOLDS}
    assert table["test_accuracy"].dropna().to_dict() == pytest.approx(accuracies, abs=1e-5)
    assert table["state"]["failed"] == "failed"
    assert table["state"]["cancelled"] == "cancelled"
    assert table["parameters"]["own layers"] == 1867
    rankings = compare(runs).rankings().values()
    assert [[one.name for one in ranked] for ranked in rankings] == [["finished", "own layers"]]


@pytest.mark.parametrize("page", PAGES)
def test_its_runs_are_shown(older: Settings, page: str) -> None:
    store = get_store()
    finished, folds = run_named(store, "finished"), run_named(store, "folds · fold 1 of 2")
    app = opened(page, run=finished, runs=[finished, folds])
    assert not app.exception
    assert not app.error


def test_its_models_answer_what_their_evaluation_saw(older: Settings) -> None:
    store, images = get_store(), datasets.load("digits").images
    for name in ("finished", "own layers"):
        run_id = run_named(store, name)
        logged = pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS)).head(4)
        answers = predict(older, run_id, [png(images[index]) for index in logged["index"]], top_k=10)
        for answer, (_, row) in zip(answers, logged.iterrows(), strict=True):
            expected = [row[f"p{label}"] for label in answer.classes]
            np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)


@pytest.mark.engine
def test_its_cancelled_run_continues_from_its_checkpoint(older: Settings) -> None:
    store = get_store()
    run_id = run_named(store, "cancelled")
    before = frames.histories(store, [run_id], ["loss"])
    assert before["step"].tolist() == [1, 2]
    resume(store, run_id)
    wait_for(lambda: not store.state(run_id).active, 240)
    log = store.read_text(run_id, schema.LOG)
    assert store.state(run_id).status == schema.FINISHED, log
    assert "continuing after epoch 1" in log  # a checkpoint is not written after every epoch
    after = frames.histories(store, [run_id], ["loss"])
    assert after["step"].tolist() == [1, 2, 3, 4, 5, 6]
    pd.testing.assert_frame_equal(after.head(2), before)


def test_the_names_of_its_layers_are_still_registered() -> None:
    """Models that were saved before layers were rewritten in Keras' own name these classes."""
    import keras

    import core.architectures.layers  # noqa: F401

    for name in (
        "AuxiliaryModel",
        "EuclideanRBF",
        "LocalResponseNormalization",
        "PartiallyConnectedConv2D",
        "ScaledResidual",
        "ScaledTanh",
        "TrainableSubsampling",
        "ZeroPaddedShortcut",
    ):
        assert keras.saving.get_registered_object(f"archlab>{name}") is not None, name
