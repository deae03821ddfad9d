"""A database is deleted, replaced, old or refuses writes for a while: it is said, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from streamlit.testing.v1 import AppTest

from core.config import ExperimentConfig
from core.jobs.supervise import _cancel_requested
from core.system.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.errors import Fault, StoreError, fault_of
from core.tracking.migration import newest_schema, schema_of, schemas
from core.tracking.store import RunStore, get_store
from core.tracking.writer import MetricWriter
from tests.support.pages import opened
from tests.support.tables import rename
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

CONFIG = ExperimentConfig()
OF_2_9 = "acf3f17fdcc7"  # the schema of MLflow 2.9


def files(database: Path) -> list[Path]:
    return [path for end in ("", "-wal", "-shm") if (path := Path(f"{database}{end}")).exists()]


@pytest.fixture
def away(store: RunStore, tmp_path: Path) -> Path:
    """A folder with the files of the store's database, which has a run and is gone from its place."""
    store.create(CONFIG)
    folder = tmp_path / "away"
    folder.mkdir()
    for path in files(store.settings.database):
        shutil.move(path, folder)
    return folder


def put_back(folder: Path, settings: Settings) -> None:
    for path in folder.iterdir():
        shutil.move(path, settings.home)


def test_a_database_that_was_deleted_is_said_and_takes_no_run(store: RunStore, away: Path) -> None:
    for ask in (store.active, lambda: frames.runs(store)):
        with pytest.raises(StoreError, match="was deleted or moved while the program uses it") as said:
            ask()
        assert said.value.fault is Fault.AWAY
    with pytest.raises(Exception, match="was deleted or moved") as refused:
        store.create(CONFIG)
    assert fault_of(refused.value) is Fault.AWAY
    assert not store.settings.database.exists(), "an empty one was made in its place"
    put_back(away, store.settings)
    run_id = store.create(CONFIG)
    assert [run.run_id for run in store.active()][-1] == run_id
    assert len(frames.run_ids(store)) == 2


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process that opens the store for the first time."""
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments],
        cwd=PROGRAM,
        env={**os.environ, "ARCHLAB_HOME": str(settings.home), "MLFLOW_TRACKING_URI": settings.tracking_uri},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_database_that_was_moved_from_its_journal_loses_nothing_to_a_new_process(
    store: RunStore, tmp_path: Path
) -> None:
    database = store.settings.database
    created = {store.create(CONFIG) for _ in range(3)}
    shutil.move(database, tmp_path / "away.db")  # its journal stays
    refused = command(store.settings, "list", "runs")
    assert refused.returncode
    assert "was deleted or moved" in refused.stderr
    assert not database.exists()
    shutil.move(tmp_path / "away.db", database)
    assert {run.run_id for run in store.active()} == created


def test_a_backup_put_over_a_database_in_use_is_not_broken_by_its_journal(
    store: RunStore, tmp_path: Path
) -> None:
    database = store.settings.database
    assert command(store.settings, "list", "runs").returncode == 0  # notes which file the journal belongs to
    store.create(CONFIG)
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    for _ in range(3):
        store.create(CONFIG)
    os.replace(backup, database)
    with pytest.raises(StoreError, match="was replaced by another file"):
        store.active()
    refused = command(store.settings, "list", "runs")
    assert refused.returncode
    assert "was replaced by another file" in refused.stderr
    for path in files(database)[1:]:
        path.unlink()
    assert len(store.active()) == 1
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_pages_say_that_the_database_was_deleted(store: RunStore, away: Path) -> None:
    app: AppTest = opened("pages/3_Compare.py")
    assert not app.exception
    assert any("was deleted or moved" in one.value.replace("\\", "") for one in app.error)


def test_a_database_that_was_replaced_is_opened_anew(store: RunStore, tmp_path: Path) -> None:
    first = store.create(CONFIG)
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(store.settings.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    second = store.create(CONFIG)
    for path in files(store.settings.database)[1:]:
        path.unlink()
    os.replace(copy, store.settings.database)
    assert [run.run_id for run in store.active()] == [first]
    third = store.create(CONFIG)
    assert [run.run_id for run in get_store().active()] == [first, third]
    with closing(sqlite3.connect(store.settings.database)) as connection:
        found = connection.execute("SELECT run_uuid FROM runs ORDER BY start_time").fetchall()
    assert found == [(first,), (third,)]
    assert _cancel_requested(store, second), "the training of a run that is gone goes on"
    assert not _cancel_requested(store, third)


def test_a_connection_that_became_read_only_is_not_used_again(store: RunStore) -> None:
    run_id = store.create(CONFIG)
    engine = store.client._tracking_client.store.engine
    with engine.connect() as connection:  # as one that was opened while the disk took no write
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(Exception, match="readonly database") as refused:
        store.set_tags(run_id, {"a": "1"})
    assert fault_of(refused.value) is Fault.AWAY
    store.set_tags(run_id, {"a": "2"})
    assert store.state(run_id).tags["a"] == "2"


def test_a_metric_whose_write_is_tried_again_stands_once(store: RunStore) -> None:
    """The store takes metrics and tags one after the other: here it takes the first and not the second."""
    run_id = store.create(CONFIG)
    rename(store, "tags", "away")
    writer = MetricWriter(store, run_id, interval_s=0.01)
    writer.metrics({"loss": 1.5}, 1)
    writer.tags({"a": "1"})

    def written() -> int:
        with closing(sqlite3.connect(store.settings.database)) as connection:
            return connection.execute("SELECT COUNT(*) FROM metrics WHERE key = 'loss'").fetchone()[0]

    wait_for(written)
    rename(store, "away", "tags")
    writer.metrics({"loss": 2.5}, 2)
    writer.close()
    assert store.state(run_id).tags["a"] == "1"
    assert frames.histories(store, [run_id], ["loss"])["value"].tolist() == [1.5, 2.5]
    assert written() == 2


def old_database(settings: Settings) -> None:
    """Make our database as MLflow 2.9 would have: its schema, with WAL, and our experiment in it."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    settings.home.mkdir(parents=True)
    engine = sqlalchemy.create_engine(settings.tracking_uri)
    Base.metadata.create_all(engine)
    command.upgrade(_get_alembic_config(settings.tracking_uri), OF_2_9)
    engine.dispose()
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for number, name in enumerate(("Default", schema.EXPERIMENT)):
            connection.execute(
                "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
                "VALUES (?, ?, ?, 'active')",
                (number, name, settings.artifacts.as_uri()),
            )
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id, "
            "artifact_uri) VALUES ('old', 'old', 'FINISHED', 1, 'active', 1, ?)",
            (settings.artifacts.as_uri(),),
        )
        connection.execute("INSERT INTO params (run_uuid, key, value) VALUES ('old', 'model.name', 'lenet5')")


def test_launches_at_once_migrate_a_database_of_an_older_mlflow_once(empty_home: Settings) -> None:
    old_database(empty_home)
    assert schema_of(empty_home.database) == OF_2_9 != newest_schema()
    code = (
        "from core.config import ExperimentConfig\nfrom core.tracking.store import get_store\n"
        "print(get_store().create(ExperimentConfig()))"
    )
    launches = [
        subprocess.Popen([sys.executable, "-c", code], cwd=PROGRAM, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made = [launch.communicate(timeout=280)[0].split()[-1] for launch in launches]
    assert [launch.returncode for launch in launches] == [0, 0, 0]
    assert schema_of(empty_home.database) == newest_schema()
    runs = frames.runs(get_store()).set_index("run_id")
    assert set(runs.index) == {"old", *made}
    assert runs.loc["old", "params.model.name"] == "lenet5"
    assert sorted(path.name for path in empty_home.home.glob("*.db")) == ["mlflow.db"]


def test_a_database_of_a_newer_mlflow_is_refused_in_words(empty_home: Settings, store: RunStore) -> None:
    with closing(sqlite3.connect(empty_home.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fromthefuture'")
    with pytest.raises(StoreError, match=r"written by a newer version of MLflow"):
        RunStore(empty_home)


def test_a_file_that_is_no_database_is_refused_in_words(empty_home: Settings) -> None:
    empty_home.home.mkdir()
    empty_home.database.write_bytes(b"not a database " * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        RunStore(empty_home)


def test_the_newest_schema_is_that_of_a_new_database(store: RunStore) -> None:
    assert schema_of(store.settings.database) == newest_schema()
    assert len(set(schemas())) == len(schemas()) > 60
