"""The Queue page: what runs and waits, in order, and what is done with the rows that are selected."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.jobs import queue
from core.jobs.groups import repeated
from core.jobs.worker import WorkerSettings, worker_of
from core.system.settings import Settings, get_settings
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore, get_store
from core.ui.compare import tables
from core.ui.queue import table as queue_table
from core.ui.run.times import expectations, speed_model
from tests.support.homes import SMALL
from tests.support.pages import opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


def table(store: RunStore):
    """The page's table as it would be drawn now, and the ids of its rows."""
    runs = {run.run_id: run for run in runs_of(frames.runs(store))}
    running = [run for run in reversed(runs.values()) if run.status == schema.RUNNING]
    waiting = queue.waiting(store)
    held = {run.run_id for run in waiting if queue.is_held(run)}
    order = [run.run_id for run in (*running, *waiting)]
    turn = [runs[run.run_id] for run in waiting if run.run_id not in held]
    expected = expectations(running, turn, ["cpu"], speed_model(runs, ["cpu"]))
    return queue_table.rows([runs[one] for one in order], turn, held, ["cpu"], expected), order


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, ""),
        ({"slots": ("0", "1")}, "other settings than this dashboard"),
        ({"slots": ("0", "1"), "code": ""}, "other settings than this dashboard"),
        ({"code": "of before"}, "restarts by itself once no run trains"),
        ({"code": ""}, "earlier version of the program"),
    ],
)
def test_a_worker_with_other_settings_or_code_is_named(change: dict, sentence: str) -> None:
    now = WorkerSettings("local", ("cpu",), "of now")
    note = queue_table.worker_note(replace(now, **change), now)
    assert sentence in note
    assert bool(note) == bool(change)


def test_an_empty_queue_says_so(settings: Settings) -> None:
    app = opened("pages/6_Queue.py")
    assert not app.exception
    assert "No run is training or queued." in [caption.value for caption in app.caption]


def test_the_table_is_in_the_order_in_which_runs_start(store: RunStore) -> None:
    first, second, third, fourth = (store.create(SMALL.with_values({"name": name})) for name in "abcd")
    store.set_status(first, schema.RUNNING)
    store.set_tags(first, {schema.DEVICE: "0", schema.PROGRESS: '{"step": 3, "steps": 4}'})
    queue.move_up(store, [fourth])
    queue.hold(store, [third])
    found, order = table(store)
    assert order == [first, second, fourth, third]
    assert found["place"].tolist() == ["running", "1", "2", "held"]
    assert found["run"].tolist() == ["a", "b", "d", "c"]
    assert found["device"].tolist() == ["GPU 0", "", "", ""]
    assert found["done"].tolist()[0] == 75
    assert found["priority"].tolist() == [0, 1, 1, 0]
    assert set(found["ends"]) == {""}  # nothing like them has finished


def test_repeats_are_told_apart_where_the_end_of_a_long_name_is_cut(store: RunStore) -> None:
    for config in repeated(SMALL.with_values({"name": 200 * "x"}), seeds=2, folds=2).configs:
        store.create(config)
    found, _ = table(store)
    repeats = [f"fold {fold} of 2 · seed {seed}" for fold in (1, 2) for seed in (0, 1)]
    assert [name[: len(repeats[0])] for name in found["run"]] == repeats
    shown = tables.runs_table(frames.runs(store))["run"]
    assert sorted(name[: len(repeats[0])] for name in shown) == repeats


def test_a_run_that_waits_for_a_device_says_for_which(store: RunStore) -> None:
    store.create(SMALL.with_values({"training.device": "cpu"}))
    store.create(SMALL.with_values({"training.device": "3"}))
    found, _ = table(store)
    assert found["device"].tolist() == ["waits for CPU", "waits for GPU 3, which is not here"]


def acting(chosen: list[str]) -> AppTest:
    """The buttons under a table of which some rows are selected."""

    def script(chosen: list[str]) -> None:
        from core.tracking.store import get_store
        from core.ui.queue.table import actions

        actions(get_store(), chosen)

    return AppTest.from_function(script, args=(chosen,), default_timeout=30).run()


def test_buttons_say_how_many_and_do_it(store: RunStore) -> None:
    ids = [store.create(SMALL) for _ in range(4)]
    store.set_status(ids[0], schema.RUNNING)
    app = acting(ids[:3])
    labels = {button.label: button for button in app.button}
    assert {"Move up 2 runs", "Next 2 runs", "Hold 2 runs", "Cancel 3 runs"} <= set(labels)
    assert labels["Release"].disabled
    labels["Hold 2 runs"].click().run()
    assert [run.run_id for run in queue.waiting(store) if queue.is_held(run)] == ids[1:3]
    cancelling = {button.label: button for button in acting(ids[2:]).button}["Cancel 2 runs"]
    cancelling.click().run()
    assert [store.state(run_id).status for run_id in ids[1:]] == [
        schema.SCHEDULED,
        schema.KILLED,
        schema.KILLED,
    ]
    assert get_store().state(ids[0]).status == schema.RUNNING


def test_the_overview_shows_what_comes_next_and_counts_the_rest(store: RunStore) -> None:
    ids = [store.create(SMALL.with_values({"name": f"number {place}"})) for place in range(8)]
    store.set_status(ids[0], schema.RUNNING)
    queue.move_to_front(store, [ids[7]])
    queue.hold(store, [ids[1]])
    app = opened("streamlit_app.py")
    assert not app.exception
    shown = [link.label for link in app.get("page_link") if link.label.startswith("number")]
    assert shown[:6] == ["number 0", "number 7", "number 1", "number 2", "number 3", "number 4"]
    assert "2 more in the queue" in [link.label for link in app.get("page_link")]
    bars = [one.proto.text for one in app.get("progress")]
    assert [text.startswith("held in the queue · submitted ") for text in bars].count(True) == 1


def test_a_store_that_does_not_answer_is_a_sentence_on_the_page(store: RunStore) -> None:
    store.create(SMALL)
    get_store()
    with closing(sqlite3.connect(store.settings.database)) as connection:
        connection.execute("ALTER TABLE params RENAME TO away")
    app = opened("pages/6_Queue.py")
    assert not app.exception
    assert any("The tracking store does not answer." in error.value for error in app.error)


def test_a_worker_with_other_settings_is_named(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    worker_of(store.settings).ensure()
    wait_for(lambda: (store.settings.home / "worker.json").exists())
    monkeypatch.setenv("ARCHLAB_SLOTS", "3")
    get_settings.cache_clear()
    app = opened("pages/6_Queue.py")
    assert any("other settings than this dashboard" in warning.value for warning in app.warning)


def test_runs_of_another_installation_are_not_in_the_queue(store: RunStore) -> None:
    theirs = store.create(SMALL.with_values({"name": "theirs"}), {schema.HOME: "another"})
    store.set_tags(theirs, {schema.DEVICE: "cpu"})
    store.set_status(theirs, schema.RUNNING)
    queue.hold(store, [store.create(SMALL.with_values({"name": "ours"}))])
    app = opened("pages/6_Queue.py")
    assert app.dataframe[0].value["run"].tolist() == ["ours"]
    assert ":gray-badge[CPU: free]" in [one.value for one in app.markdown]


def test_where_no_worker_runs_nothing_is_expected_to_start(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(SMALL)
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    get_settings.cache_clear()
    app = opened("pages/6_Queue.py")
    assert any("No worker runs" in warning.value for warning in app.warning)
    assert app.dataframe[0].value["starts"].tolist() == [""]
