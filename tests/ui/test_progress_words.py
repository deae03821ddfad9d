"""What pages say of a run while it trains is what it does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from core.tracking import frames, schema
from core.tracking.progress import report
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from core.ui.common import words
from core.ui.compare import tables
from core.ui.queue import table as queue_table
from tests.support.homes import SMALL
from tests.support.pages import opened

pytestmark = pytest.mark.slow


@pytest.fixture
def running(store: RunStore) -> str:
    """A run that began 40 seconds ago; this process answers for it, so that no worker ends it."""
    run_id = store.create(SMALL)
    store.set_status(run_id, schema.RUNNING)
    store.set_tags(run_id, {schema.STARTED: str(int(1000 * (time.time() - 40)))})
    store.own(run_id)
    return run_id


def bar(run_id: str) -> tuple[str, int, list[str]]:
    """Text and percent of the progress bar on the run's page, and the labels of its buttons."""
    app = opened("pages/4_Run.py", run=run_id)
    assert not app.exception
    (progress,) = app.get("progress")
    return progress.proto.text, progress.proto.value, [button.label for button in app.button]


def test_before_anything_is_reported_there_is_the_time_so_far(running: str) -> None:
    text, percent, _ = bar(running)
    assert text.startswith("starting · ")
    assert text.endswith(" so far")
    assert percent == 0


@pytest.mark.parametrize(
    ("progress", "begins", "percent"),
    [
        ({"phase": "compiling"}, "compiling · ", 0),
        (
            {"phase": "training", "epoch": 3, "epochs": 4, "step": 6, "steps": 8},
            "epoch 3 of 4 · ",
            75,
        ),
        ({"phase": "evaluating"}, "evaluating · ", 100),
    ],
)
def test_the_phase_that_is_shown_is_the_last_one(
    store: RunStore, running: str, progress: dict, begins: str, percent: int
) -> None:
    report(store.settings, running, progress)
    text, value, buttons = bar(running)
    assert text.startswith(begins)
    assert " so far" in text
    assert value == percent
    assert "Cancel" in buttons


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("importing Keras", "starting: importing Keras"),
        ("loading the images", "starting: loading the images"),
        ("building the model", "starting: building the model"),
        ("compiling", "compiling"),
        ("evaluating", "evaluating"),
        ("measuring the latency", "evaluating: measuring the latency"),
        ("saving", "saving"),
    ],
)
def test_what_is_done_besides_steps_says_how_long_it_takes_as_similar_runs_did(
    store: RunStore, running: str, phase: str, said: str
) -> None:
    began = time.time() - 1000
    earlier = store.create(SMALL)
    store.set_tags(earlier, {schema.STARTED: str(int(1000 * began))})
    for epoch in range(1, SMALL.training.epochs + 1):
        store.log_metrics(earlier, {"loss": 1.0}, epoch)
    store.log_metrics(earlier, {"train_seconds": 3000.0}, 1)  # longer than `running` could have taken yet
    store.set_status(earlier, schema.FINISHED)
    report(store.settings, running, {"phase": phase})
    text, _, _ = bar(running)
    assert text.startswith(f"{said} · ")
    assert text.endswith(" left, as similar runs took")


def test_a_run_that_waits_says_since_when(store: RunStore) -> None:
    text, percent, _ = bar(store.create(SMALL.with_values({"name": "waits"})))
    said = "waiting in the queue · submitted less than a minute ago · starts next"
    assert (text, percent) == (said, 0)


def test_a_run_that_is_asked_to_end_says_so_until_it_has(store: RunStore, running: str) -> None:
    report(store.settings, running, {"phase": "training", "epoch": 3, "epochs": 4, "step": 6, "steps": 8})
    store.set_tags(running, {schema.CANCEL: "yes"})
    text, _, buttons = bar(running)
    assert text.startswith("cancelling · epoch 3 of 4 · ")
    assert "Cancelling" in buttons


@pytest.mark.parametrize(
    ("progress", "cancelled", "word", "done"),
    [
        ({"phase": "compiling"}, False, "starting", None),
        ({"phase": "training", "epoch": 1, "epochs": 4, "step": 2, "steps": 8}, False, "running", 25.0),
        ({"phase": "evaluating"}, False, "ending", 100.0),
        ({"phase": schema.SAVED}, False, "ending", 100.0),
        ({"phase": "training", "epoch": 1, "epochs": 4, "step": 2, "steps": 8}, True, "cancelling", 25.0),
    ],
)
def test_the_queue_says_the_same_of_a_run_as_its_page(
    store: RunStore, running: str, progress: dict, cancelled: bool, word: str, done: float | None
) -> None:
    report(store.settings, running, progress)
    if cancelled:
        store.set_tags(running, {schema.CANCEL: "yes"})
    runs = runs_of(frames.runs(store))
    assert [run.run_id for run in runs] == [running]
    (row,) = queue_table.rows(runs, [], set(), ["cpu"], {}).to_dict("records")
    assert row["place"] == word
    assert row["done"] == pytest.approx(done) if done else pd.isna(row["done"]) or row["done"] is None


def test_what_is_saved_cannot_be_cancelled(store: RunStore, running: str) -> None:
    report(store.settings, running, {"phase": schema.SAVED})
    text, _, buttons = bar(running)
    assert text.startswith("result saved")
    assert "Cancel" not in buttons


def test_a_run_that_trains_has_no_test_accuracy_yet(store: RunStore, running: str) -> None:
    store.log_metrics(running, {"test_accuracy": 0.1, "val_accuracy": 0.75}, 1)
    shown = [element.value for element in opened("streamlit_app.py").markdown]
    assert "validation accuracy so far 75.00%" in shown
    assert not [text for text in shown if text.startswith("test accuracy")]
    assert "test_accuracy" not in tables.runs_table(frames.runs(store))
    store.set_status(running, schema.FINISHED)
    assert tables.runs_table(frames.runs(store))["test_accuracy"].tolist() == [0.1]


def test_a_run_that_failed_is_not_said_to_lack_a_test_accuracy(store: RunStore, running: str) -> None:
    store.log_metrics(running, {"val_accuracy": 0.75}, 1)
    store.fail(running, "It was ended.")
    store.fail(store.create(SMALL.with_values({"name": "early"})), "It never began.")
    shown = [element.value for element in opened("streamlit_app.py").markdown]
    assert "validation accuracy when it ended 75.00%" in shown
    assert "nothing measured" in shown
    assert not [text for text in shown if text.startswith("test accuracy")]


def test_an_age_says_no_more_than_it_keeps() -> None:
    now = datetime.now(UTC)
    ages = [timedelta(seconds=3), timedelta(seconds=200), timedelta(hours=3), timedelta(days=3)]
    assert [words.ago(now - age) for age in ages] == [
        "less than a minute ago", "3 min ago", "3 h ago", "3 days ago",
    ]  # fmt: skip
