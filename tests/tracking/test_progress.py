"""How far a run is: the file of its job's folder and the tag in the store, whichever is newer."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Timer

import pandas as pd
import pytest

from core.figures import system_use
from core.system.settings import Settings, from_environment
from core.tracking import frames, schema
from core.tracking.progress import latest, report
from core.tracking.store import RunStore
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from tests.support.homes import SMALL
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine


def tags(started: float, **progress: object) -> dict[str, str]:
    return {schema.STARTED: str(int(1000 * started)), schema.PROGRESS: json.dumps(progress)}


def test_the_newer_of_file_and_tag_counts(settings: Settings) -> None:
    now = time.time()
    assert latest(settings, "a", tags(now, phase="compiling")) == {"phase": "compiling"}
    report(settings, "a", {"phase": "training", "epoch": 3})
    assert latest(settings, "a", {schema.STARTED: str(int(1000 * now) - 1)})["epoch"] == 3
    assert latest(settings, "a", tags(now - 9, phase="compiling", at=now - 5))["phase"] == "training"
    assert latest(settings, "a", tags(now - 9, phase="saving", at=now + 5))["phase"] == "saving"


def test_what_an_attempt_before_said_does_not_count(settings: Settings) -> None:
    report(settings, "a", {"phase": "training", "epoch": 3})
    assert latest(settings, "a", {schema.STARTED: str(int(1000 * (time.time() + 5)))}) == {}
    assert latest(settings, "a", {}) == {}


def test_a_file_that_is_damaged_is_not_read(settings: Settings) -> None:
    report(settings, "a", {"phase": "training"})
    settings.progress("a").write_text("{")
    assert latest(settings, "a", tags(0, phase="compiling"))["phase"] == "compiling"


def test_a_run_that_is_over_at_once_has_samples_of_the_machine(store: RunStore) -> None:
    run_id = store.create(SMALL)
    store.set_status(run_id, schema.RUNNING)

    def uses() -> list[system_use.Use]:
        return system_use.collect(frames.histories(store, [run_id], tuple(system_use.LABELS)))

    with MetricWriter(store, run_id) as writer, system_metrics(store, run_id, writer):
        wait_for(uses)
        before = len(uses()[0].minutes)
    after = uses()
    assert {use.label for use in after} >= {"CPU", "memory"}
    assert len(after[0].minutes) > before


def test_samples_of_the_machine_survive_a_store_that_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ARCHLAB_HOME", str(tmp_path))
    # SQLite then gives up waiting for a lock after 0.2 s in place of 20
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db?timeout=0.2")
    store = RunStore(from_environment())
    run_id = store.create(SMALL)
    store.set_status(run_id, schema.RUNNING)
    name = "system/cpu_utilization_percentage"

    def samples() -> pd.DataFrame:
        return frames.histories(store, [run_id], [name])

    with (
        closing(
            sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
        ) as other,
        caplog.at_level(logging.WARNING, "core.tracking.writer"),
        MetricWriter(store, run_id, interval_s=0.05) as writer,
        system_metrics(store, run_id, writer, first_s=0.05, longest_s=0.1),
    ):
        wait_for(lambda: len(samples()) >= 2)
        other.execute("BEGIN IMMEDIATE")
        wait_for(lambda: caplog.text.count("did not take the use of the machine") >= 2)
        before, locked_at = len(samples()), time.time()
        wait_for(lambda: time.time() > locked_at + 1)
        other.execute("COMMIT")
        freed_at = time.time()
        wait_for(lambda: len(samples()) >= before + 5)
        other.execute("BEGIN IMMEDIATE")  # and at the end of the block: freed while the writer closes
        freeing = Timer(1, other.execute, ["COMMIT"])
        freeing.start()
    freeing.join()
    after = samples()
    times = after["time"].map(lambda moment: moment.timestamp())
    assert list(after["step"]) == list(range(1, len(after) + 1))  # none is missing, none is there twice
    taken_meanwhile = [moment for moment in times if locked_at < moment < freed_at]
    assert len(taken_meanwhile) >= 2
    assert schema.NOT_LOGGED not in store.state(run_id).tags
