"""The columns kept in memory are what the store holds, whoever writes to it, and are shared without harm."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing

import pandas as pd
import pytest

from core.config import ExperimentConfig
from core.system.settings import PROGRAM
from core.tracking import frames, schema
from core.tracking.client_reader import ClientReader
from core.tracking.read_model import ReadModel
from core.tracking.store import RunStore
from tests.support.random_writes import QUESTIONS, Writer, assert_current
from tests.support.readers import fill
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(3))
def test_after_any_change_it_equals_a_plain_read(store: RunStore, seed: int) -> None:
    fill(store)
    model, plain, writer = ReadModel(store.uri), ClientReader(store), Writer(store, seed)
    assert_current(model, plain)
    for _ in range(40):
        for _ in range(writer.chance.randrange(4)):
            writer.step()
        assert_current(model, plain, [writer.chance.choice(QUESTIONS)])
    assert_current(model, plain)


def statements(model: ReadModel, act: Callable[[], object]) -> list[str]:
    """The SQL that a model sends meanwhile."""
    from sqlalchemy import event

    sent: list[str] = []
    with model._connection.use() as (connection, _):

        def note(*arguments: object) -> None:
            sent.append(str(arguments[2]))

        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sent


def test_nothing_is_read_while_nothing_was_written(store: RunStore) -> None:
    runs = fill(store)
    model = ReadModel(store.uri)
    before, version = model.runs(["model.name"])
    model.runs(["model.name"])  # what was written just now counts as a change of tags once more
    assert statements(model, lambda: model.runs(["model.name"])) == ["PRAGMA data_version"]
    store.set_tags(runs["running"], {"note": "x"})
    after, changed = model.runs(["model.name"])
    assert changed != version
    pd.testing.assert_frame_equal(before, after)
    many = statements(
        model, lambda: (store.set_tags(runs["running"], {"note": "y"}), model.runs(["model.name"]))
    )
    assert not [one for one in many if "FROM params WHERE key" in one]


def test_a_tag_of_an_ended_run_is_seen_at_once_by_who_set_it_and_soon_by_all(store: RunStore) -> None:
    runs = fill(store)
    model = ReadModel(store.uri)
    model.runs(["note"])

    def note(recent: bool = True) -> object:
        frame, _ = model.runs(["note"], recent)
        return dict(zip(frame["run_id"], frame.get("tags.note", frame["name"]), strict=True))[
            runs["finished"]
        ]

    store.set_tags(runs["finished"], {"note": "one"})
    model.expect_new_tags()
    assert note() == "one"
    store.set_tags(runs["finished"], {"note": "two"})
    assert note(recent=False) == "two"  # who acts on it is told what is
    store.set_tags(runs["finished"], {"note": "three"})
    wait_for(lambda: note() == "three", timeout_s=30)
    store.set_tags(runs["running"], {"note": "four"})
    frame, _ = model.runs(["note"], recent=True)
    assert frame.set_index("run_id")["tags.note"][runs["running"]] == "four"


def test_what_a_holder_changes_in_a_frame_stays_with_the_holder(store: RunStore) -> None:
    fill(store)
    model = ReadModel(store.uri)
    mine, _ = model.runs()
    mine["status"] = "mine"
    mine.loc[0, "name"] = "mine"
    theirs, _ = model.runs()
    assert "mine" not in {*theirs["status"], *theirs["name"]}


def test_a_database_that_was_replaced_is_read_anew(store: RunStore) -> None:
    store.create(ExperimentConfig())
    model = ReadModel(store.uri)
    assert len(model.runs()[0]) == 1
    database = store.settings.database
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other = database.with_name("other.db")
        connection.execute("VACUUM INTO ?", (str(other),))
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("UPDATE runs SET name = 'of the other'")
    other.replace(database)
    assert model.runs()[0]["name"].tolist() == ["of the other"]


WRITE = """
import sys
from core.config import ExperimentConfig
from core.tracking.store import get_store
store = get_store()
for _ in range(10):
    run_id = store.create(ExperimentConfig())
    for step in range(5):
        store.log_metrics(run_id, {"loss": float(step)}, step)
    store.set_status(run_id, "FINISHED")
"""


def test_readers_see_whole_states_while_another_process_writes(store: RunStore) -> None:
    store.create(ExperimentConfig())
    model = ReadModel(store.uri)
    faults: list[object] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                frame, _ = model.runs(["loss", "model.name"])
                ended = frame[frame["status"] == schema.FINISHED]
                if not (ended.get("metrics.loss", ended["last_epoch"]) == 4).all():
                    faults.append(ended)
        except Exception as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    subprocess.run([sys.executable, "-c", WRITE], cwd=PROGRAM, check=True)
    done.set()
    for reader in readers:
        reader.join()
    assert not faults
    pd.testing.assert_frame_equal(model.runs()[0], ClientReader(store).runs())
    assert len(frames.runs(store)) == 11


def test_rows_that_take_the_places_of_deleted_ones_are_seen(store: RunStore) -> None:
    """SQLite gives the row ids of the last rows out again once these are gone."""
    fill(store)
    model, plain, writer = ReadModel(store.uri), ClientReader(store), Writer(store, 0)
    writer.create()
    newest = store.read.run_ids()[-1]
    store.log_metrics(newest, {"loss": 1.0}, 1)
    assert_current(model, plain)
    store.client.delete_run(newest)
    writer.removed = [newest]
    writer.purge()
    oldest = store.read.run_ids()[0]
    store.log_params(oldest, {"new.param": "late"})
    store.log_metrics(oldest, {"loss": 2.0}, 1)
    model.expect_new_tags()
    assert_current(model, plain)


def test_runs_come_back_after_all_were_deleted(store: RunStore) -> None:
    model = ReadModel(store.uri)
    for _ in range(2):
        run_id = store.create(ExperimentConfig())
        store.log_metrics(run_id, {"loss": 1.0}, 1)
        assert_current(model, ClientReader(store))
        store.client.delete_run(run_id)
        assert len(model.runs()[0]) == 0
        assert len(model.runs(["loss"])[0]) == 0
