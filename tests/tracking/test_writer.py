"""What a training says reaches the store, whatever else goes wrong with it."""

from __future__ import annotations

import logging
import sys
import time

import pytest

from core.config import ExperimentConfig
from core.tracking import frames, schema
from core.tracking import writer as writer_module
from core.tracking.patience import TRIES
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter
from tests.support.tables import rename
from tests.support.waiting import wait_for


def test_writer_keeps_what_was_said_before_a_crash(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())

    def crash() -> None:
        with MetricWriter(store, run_id, interval_s=60) as writer:
            writer.metrics({"loss": 2.0}, step=1)
            writer.metrics({"accuracy": 0.5}, step=1)
            writer.tags({schema.PROGRESS: "{}"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    run = store.run(run_id)
    assert run.data.metrics == {"loss": 2.0, "accuracy": 0.5}
    assert run.data.tags[schema.PROGRESS] == "{}"


def test_a_writer_that_waits_writes_nothing_before_it_begins_or_ends(store: RunStore) -> None:
    run_id, said = store.create(ExperimentConfig()), []
    with MetricWriter(store, run_id, interval_s=0.01, waits=True) as writer:
        writer.call(lambda: said.append(store.run(run_id).data.metrics))
        writer.metrics({"loss": 2.0}, step=1)
        time.sleep(0.2)
        assert said == []
        writer.begin()
        wait_for(lambda: store.run(run_id).data.metrics == {"loss": 2.0})
        assert said == [{}]  # what is called comes first, and once
    with MetricWriter(store, run_id, waits=True) as writer:
        writer.metrics({"loss": 1.0}, step=2)
    assert store.run(run_id).data.metrics == {"loss": 1.0}


def test_what_a_writer_calls_is_tried_again(store: RunStore) -> None:
    run_id, tries = store.create(ExperimentConfig()), []

    def second_time() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ConnectionError("busy")

    with MetricWriter(store, run_id, interval_s=0.01) as writer:
        writer.call(second_time)
        writer.metrics({"loss": 2.0}, step=1)
    assert tries == [0, 1]
    assert store.run(run_id).data.metrics == {"loss": 2.0}


def test_a_writer_loses_nothing_while_the_store_is_away(
    store: RunStore, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = store.create(ExperimentConfig())
    rename(store, "latest_metrics", "away")
    with caplog.at_level(logging.WARNING, "core.tracking.writer"):
        writer = MetricWriter(store, run_id, interval_s=0.05)
        writer.metrics({"loss": 1.0}, 1)
        wait_for(lambda: "did not take a write, trying again" in caplog.text)
    for step in (2, 3):
        writer.metrics({"loss": 1.0 / step}, step)
    rename(store, "away", "latest_metrics")
    writer.close()
    assert frames.histories(store, [run_id])["value"].tolist() == [1.0, 1 / 2, 1 / 3]
    assert schema.NOT_LOGGED not in store.state(run_id).tags


def test_a_call_that_fails_costs_no_metric_and_is_noted_with_the_run(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())

    def fails() -> None:
        raise ValueError("not like this\nbut otherwise")

    with MetricWriter(store, run_id, interval_s=0.01) as writer:
        writer.call(fails, "data.json")
        writer.metrics({"loss": 2.0}, step=1)
        writer.tags({schema.PROGRESS: "{}"})
        wait_for(lambda: schema.NOT_LOGGED in store.state(run_id).tags)  # before it closes
    run = store.run(run_id)
    assert run.data.metrics == {"loss": 2.0}
    assert run.data.tags[schema.PROGRESS] == "{}"
    assert run.data.tags[schema.NOT_LOGGED] == "data.json: not like this"


def test_a_call_that_fails_while_the_store_takes_the_rest_is_given_up(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a server whose artifacts are switched off: it answers 503 for ever."""
    monkeypatch.setattr(writer_module, "RESTART_S", 0.0)
    run_id, tries = store.create(ExperimentConfig()), []

    def fails() -> None:
        tries.append(len(store.run(run_id).data.metrics))
        raise ConnectionError("503")

    with MetricWriter(store, run_id, interval_s=0.01, waits=True) as writer:
        writer.call(fails, "data.json")
        writer.metrics({"loss": 2.0}, step=1)
        writer.begin()  # the call and the metric come together
    assert tries == [0, *[1] * (TRIES - 1)]  # the metric did not wait for it
    assert store.state(run_id).tags[schema.NOT_LOGGED] == "data.json: 503"


def test_a_call_is_not_given_up_before_what_it_writes_to_could_restart(store: RunStore) -> None:
    run_id, tries = store.create(ExperimentConfig()), []

    def fails_for_a_while() -> None:
        tries.append(1)
        if len(tries) < 2 * TRIES:
            raise ConnectionError("503")

    with MetricWriter(store, run_id, interval_s=0.01) as writer:
        writer.call(fails_for_a_while, "data.json")
    assert len(tries) == 2 * TRIES
    assert schema.NOT_LOGGED not in store.state(run_id).tags


def test_a_store_that_refuses_even_a_tag_does_not_end_the_writer(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RESTART_S", 0.0)
    run_id, tries = store.create(ExperimentConfig()), []
    store.client.delete_run(run_id)

    def fails() -> None:
        tries.append(1)
        raise ConnectionError("503")

    with MetricWriter(store, run_id, interval_s=0.01) as writer:
        writer.call(fails, "data.json")
    assert len(tries) == TRIES


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_whose_thread_has_failed_says_so_when_it_closes(store: RunStore) -> None:
    writer = MetricWriter(store, store.create(ExperimentConfig()), interval_s=0.01)
    writer.call(sys.exit)  # ends the thread
    with pytest.raises(RuntimeError, match="Not all of this run was logged"):
        writer.close()


def test_a_value_that_the_store_refuses_costs_no_other(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    with MetricWriter(store, run_id) as writer:
        writer.metrics({"loss": 2.0, "no:name?": 1.0, "accuracy": 0.5}, step=1)
        writer.metrics({"loss": 1.0}, step=2)
        writer.tags({schema.KEPT: "1"})
    run = store.run(run_id)
    assert run.data.metrics == {"loss": 1.0, "accuracy": 0.5}
    assert run.data.tags[schema.KEPT] == "1"
    assert run.data.tags[schema.NOT_LOGGED].startswith("no:name?: Invalid value")


def test_what_the_store_refuses_is_left_out_and_other_errors_are_raised(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    gone = store.create(ExperimentConfig())
    store.client.delete_run(gone)
    with MetricWriter(store, run_id) as writer:
        assert writer.attempt("a number", lambda: 3) == 3
        assert writer.attempt("the model", lambda: store.log_metrics(gone, {"loss": 1.0})) is None
        with pytest.raises(ZeroDivisionError):
            writer.attempt("nothing", lambda: 1 // 0)
    assert store.state(run_id).tags[schema.NOT_LOGGED].startswith("the model: ")


def test_a_writer_of_a_deleted_run_ends(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    store.client.delete_run(run_id)
    writer = MetricWriter(store, run_id)
    writer.metrics({"loss": 2.0}, step=1)
    writer.close(timeout_s=20)
