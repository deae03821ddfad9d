"""Stores on real servers: PostgreSQL and `mlflow server`, used, stopped and started again."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import keras
import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from core.config import ExperimentConfig
from core.jobs.deletion import delete
from core.jobs.worker import worker_of
from core.system import settings as settings_module
from core.tracking import connections, frames, schema, server_runs
from core.tracking.client_reader import ClientReader
from core.tracking.deletion import erase
from core.tracking.errors import Fault, StoreError, fault_of
from core.tracking.patience import IMPATIENT
from core.tracking.read_model import ReadModel
from core.tracking.run_state import Child
from core.tracking.sql_reader import SqlReader
from core.tracking.store import RunStore, _store_for, get_store
from tests.support.commands import run
from tests.support.homes import SMALL, stop_processes, using
from tests.support.random_writes import QUESTIONS as QUESTIONS_OF_COLUMNS
from tests.support.random_writes import Writer, assert_current
from tests.support.readers import QUESTIONS, assert_alike, fill
from tests.support.servers import (
    MISSING,
    MlflowServer,
    Postgres,
    free_port,
    mlflow_server,
    postgres,
    postgres_programs,
    resetting_proxy,
)
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

COMMANDS = (("status",), ("list", "runs"), ("log", "0"), ("cancel", "0"), ("train", "--recipe", "quickstart"))


@contextmanager
def store_at(folder: Path, uri: str) -> Iterator[RunStore]:
    with using(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        for name, value in IMPATIENT.items():  # as every page and command does
            patch.setenv(name, value)
        settings_module.get_settings.cache_clear()
        yield get_store()


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    if postgres_programs() is None:
        pytest.skip(MISSING)
    with postgres() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(params=["database", "server"])
def remote(request: pytest.FixtureRequest) -> Postgres | MlflowServer:
    """Each kind of store that is not a file."""
    return request.getfixturevalue(request.param)


def test_a_remote_store_is_read_alike_by_both_readers(
    remote: Postgres | MlflowServer, tmp_path: Path
) -> None:
    """As `test_readers` holds for a file: PostgreSQL, and a server beside the database that it serves."""
    database = remote.uri if isinstance(remote, Postgres) else f"sqlite:///{remote.folder}/mlflow.db"
    with store_at(tmp_path, remote.uri) as store:
        by_sql, by_client = RunStore(store.settings), RunStore(store.settings)
        by_sql.read, by_client.read = SqlReader(database), ClientReader(by_client)
        runs = fill(store)
        for method in QUESTIONS:
            assert_alike(method, by_sql, by_client, runs)
        assert type(store.read) is (SqlReader if isinstance(remote, Postgres) else ClientReader)
        assert by_client.config(runs["finished"]) == by_sql.config(runs["finished"]) == ExperimentConfig()
        prefix = runs["group"][:12]
        assert by_sql.resolve(prefix) == by_client.resolve(prefix) == runs["group"]


def ends_in_time(read: Callable[[], object]) -> bool:
    """Whether a read succeeds; fails the test when it does not end at all."""
    done: list[bool] = []
    Thread(target=lambda: done.append(answers(read)), daemon=True).start()
    wait_for(lambda: done, 60)
    return done[0]


def answers(read: Callable[[], object]) -> bool:
    try:
        read()
    except StoreError:
        return False
    return True


def test_a_store_that_is_stopped_is_one_line_of_every_command_and_comes_back(
    remote: Postgres | MlflowServer, tmp_path: Path
) -> None:
    environment = {"ARCHLAB_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": remote.uri}
    with store_at(tmp_path, remote.uri) as store:
        run_id = store.create(SMALL)
        worker, log = worker_of(store.settings), store.settings.home / "worker.log"
        remote.stop()
        try:
            worker.ensure()
            wait_for(lambda: log.exists() and "cannot be used" in log.read_text())
            for read in (RunStore.active, lambda store: store.run(run_id), frames.runs):
                with pytest.raises(StoreError, match="cannot be used") as found:
                    read(store)
                assert fault_of(found.value) is Fault.AWAY
            for command in COMMANDS:
                _store_for.cache_clear()  # each command opens the store
                answer = run(*command, **environment)
                assert answer.returncode == 2
                assert answer.stderr.startswith("Error: The tracking store "), answer.stderr
                assert len(answer.stderr.splitlines()) == 1
                assert "secret" not in answer.stderr
            assert run("doctor", **environment).returncode == 1
        finally:
            remote.start()
        wait_for(lambda: answers(lambda: store.state(run_id)), 30)
        wait_for(lambda: store.state(run_id).status != schema.SCHEDULED)  # the worker has waited, and trains
        assert "Traceback" not in log.read_text()
        stop_processes(store.settings)


def test_a_server_whose_database_stops_is_one_line_of_every_command_and_comes_back(
    database: Postgres, tmp_path: Path
) -> None:
    """As docs/cluster.md starts it: `mlflow server --backend-store-uri postgresql://...`."""
    options = ("--backend-store-uri", database.uri, "--artifacts-destination", str(tmp_path / "artifacts"))
    with mlflow_server(tmp_path, *options) as server, store_at(tmp_path / "home", server.uri) as store:
        run_id = store.create(SMALL)
        store.log_metrics(run_id, {"loss": 1.0}, step=1)
        store.set_status(run_id, schema.FINISHED)
        parent = store.create_group("both", 2)
        child = store.create(SMALL, {schema.PARENT: parent})
        assert store.read.children(parent, run_id) == {
            parent: [Child(child, schema.SCHEDULED)],
            run_id: [],
        }
        database.stop()
        try:
            assert server.answers()  # it does not look at its database for that
            sentence = "cannot be used: It answers with the HTTP error 503; its own database"
            for read in (
                store.active,
                lambda: frames.runs(store),
                lambda: store.run(run_id),
                lambda: store.config(run_id),
                lambda: store.models.file(run_id),
                lambda: store.models.with_keras_model([run_id]),
            ):
                with pytest.raises(StoreError, match=sentence) as found:
                    read()
                assert fault_of(found.value) is Fault.AWAY
            environment = {"ARCHLAB_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": server.uri}
            for command in (
                *COMMANDS,
                ("status", run_id),
                ("delete", run_id, "--yes"),
                ("predict", run_id, __file__),
            ):
                _store_for.cache_clear()  # each command opens the store
                answer = run(*command, **environment)
                assert answer.returncode == 2
                assert answer.stderr.startswith("Error: The tracking store "), answer.stderr
                assert sentence in answer.stderr
                assert len(answer.stderr.splitlines()) == 1
                assert "secret" not in answer.stderr
            assert run("doctor", **environment).returncode == 1
        finally:
            database.start()
        wait_for(lambda: answers(lambda: store.state(run_id)), 30)
        assert store.config(run_id) == SMALL
        assert store.read.last_step(run_id) == 1
        assert run("cancel", child, **environment).stdout == "1 run was asked to end.\n"  # and no address


def test_what_lies_behind_a_server_is_downloaded_once(server: MlflowServer, tmp_path: Path) -> None:
    with store_at(tmp_path / "home", server.uri) as store, pytest.MonkeyPatch.context() as patch:
        run_id = store.create(ExperimentConfig())
        store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        (tmp_path / "temporary").mkdir()
        patch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        waiting = store.artifact(run_id, schema.CONFIG)  # it may change: downloaded again, to the same place
        assert store.artifact(run_id, schema.CONFIG) == waiting
        store.set_status(run_id, schema.FINISHED)
        config, model = store.artifact(run_id, schema.CONFIG), store.models.file(run_id)
        written = [path.stat().st_ctime_ns for path in (config.parent, model.parent)]
        assert (store.artifact(run_id, schema.CONFIG), store.models.file(run_id)) == (config, model)
        assert [path.stat().st_ctime_ns for path in (config.parent, model.parent)] == written
        assert model.is_relative_to(store.settings.cache)
        with pytest.raises(FileNotFoundError, match=r"has no 'log\.txt'"):
            store.read_text(run_id, schema.LOG)
        assert not list((tmp_path / "temporary").iterdir())


def test_a_download_that_fails_is_not_taken_for_an_artifact_that_is_missing(
    server: MlflowServer, tmp_path: Path
) -> None:
    with store_at(tmp_path / "home", server.uri) as store:
        run_id = store.create(ExperimentConfig())
        store.client.log_text(run_id, "a line\n" * 1000, schema.LOG)
        store.set_status(run_id, schema.FINISHED)
        nowhere = tmp_path / "another home"
        answer = subprocess.run(
            [sys.executable, "-m", "core", "log", run_id],
            env={**os.environ, "ARCHLAB_HOME": str(nowhere), "MLFLOW_TRACKING_URI": server.uri},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),  # a disk nearly full
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 2
        assert answer.stderr == (
            f"Error: The folder {nowhere / 'cache' / 'artifacts'}, which keeps downloads from the tracking "
            "store, cannot be written: File too large.\n"
        )
        (there,) = (server.folder / "artifacts").glob(f"*/{run_id}/artifacts/{schema.CONFIG}")
        there.unlink()
        os.mkfifo(there)  # it is listed, and the server cannot send it
        with pytest.raises(
            StoreError, match=r"used: (It answers with the HTTP error 500|Connection reset by peer)\.$"
        ) as found:
            store.config(run_id)
        assert fault_of(found.value) is Fault.AWAY
        there.unlink()
        with pytest.raises(FileNotFoundError, match=r"has no 'config\.yaml'"):
            store.config(run_id)


def test_a_connection_that_is_reset_when_it_is_used_again_is_replaced(
    server: MlflowServer, tmp_path: Path
) -> None:
    """A server closes idle connections, and may do it in the moment in which one is used."""
    with store_at(tmp_path, server.uri) as store:
        run_id = store.create(ExperimentConfig())
    with resetting_proxy(server.port) as address, store_at(tmp_path, address) as store:
        for _ in range(3):
            assert store.run(run_id).info.run_id == run_id


def test_the_files_of_a_logged_model_are_listed_once(server: MlflowServer, tmp_path: Path) -> None:
    with store_at(tmp_path, server.uri) as store:
        run_id, without = store.create(ExperimentConfig()), store.create(ExperimentConfig())
        store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        assert store.models.with_keras_model([run_id, without]) == [run_id]
        artifacts = server.folder / "artifacts"
        artifacts.rename(server.folder / "elsewhere")  # whoever lists the files again finds none
        try:
            assert store.models.with_keras_model([run_id, without]) == [run_id]
        finally:
            (server.folder / "elsewhere").rename(artifacts)


def test_a_run_behind_a_server_is_deleted_with_its_files(server: MlflowServer, tmp_path: Path) -> None:
    def files() -> set[Path]:
        return {path for path in (server.folder / "artifacts").rglob("*") if path.is_file()}

    with store_at(tmp_path, server.uri) as store:
        before = files()
        run_id = store.create(ExperimentConfig())
        store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        store.set_status(run_id, schema.FINISHED)
        assert {path.name for path in files() - before} >= {"config.yaml", "model.keras"}
        downloads = [store.artifact(run_id, schema.CONFIG), store.models.file(run_id)]
        assert all(path.is_relative_to(store.settings.cache) for path in downloads)
        assert delete(store, [run_id]).left == ()
        assert files() == before
        assert not any(path.parent.exists() for path in downloads)
        assert run_id not in frames.run_ids(store)


def test_a_server_that_accepts_connections_and_says_nothing_is_not_waited_for(
    remote: Postgres | MlflowServer, tmp_path: Path
) -> None:
    with store_at(tmp_path, remote.uri) as store:
        run_id = store.create(ExperimentConfig())
        for read in (store.active, lambda: frames.runs(store), lambda: store.run(run_id)):
            wait_for(lambda: answers(lambda: store.run(run_id)), 30)
            assert ends_in_time(store.active)  # so that each engine has a connection that still works
            remote.send(signal.SIGSTOP)
            try:
                for recently_asked in (True, False):
                    connections._failures.clear()  # each asks the store itself
                    if not recently_asked:  # else a server that has just answered is not asked first
                        connections._answered.clear()
                    assert not ends_in_time(read)
            finally:
                remote.send(signal.SIGCONT)


def test_a_table_that_is_locked_for_long_is_one_sentence(database: Postgres, tmp_path: Path) -> None:
    with store_at(tmp_path, database.uri) as store:
        run_id = store.create(ExperimentConfig())
        with create_engine(database.uri).begin() as connection:
            connection.execute(text("LOCK TABLE runs"))
            for read in (store.active, lambda: store.run(run_id)):
                connections._failures.clear()
                with pytest.raises(StoreError, match=r"cannot be used: .*It gave no answer within 8 s\.$"):
                    read()
        wait_for(lambda: answers(lambda: store.run(run_id)), 30)


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("postgresql+pg8000://me:secret@there/runs", "me:***@there/runs needs the Python package pg8000."),
        ("mysql+pymysql://me:secret@there/runs", "MySQL is not supported. Received: mysql+pymysql://me:***@"),
        ("mssql+pyodbc://me:secret@there/runs", "SQL Server is not supported."),
        ("postgres://me:secret@there/runs", "SQLAlchemy wants the name 'postgresql' in it."),
        ("http://127.0.0.1:9", "http://127.0.0.1:9 cannot be used: Connection refused."),
    ],
)
def test_a_store_that_cannot_be_opened_is_one_line(tmp_path: Path, uri: str, sentence: str) -> None:
    answer = run("status", ARCHLAB_HOME=str(tmp_path), MLFLOW_TRACKING_URI=uri)
    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert "secret" not in answer.stderr


def test_a_database_on_several_hosts_is_asked_as_the_driver_does() -> None:
    pytest.importorskip("psycopg")
    several = {"host": "127.0.0.1,127.0.0.1", "port": f"{free_port()},{free_port()}"}
    with pytest.raises(OperationalError, match="refused"):
        create_engine("postgresql+psycopg://", connect_args=several).connect()


def test_columns_of_a_postgresql_database_equal_a_plain_read_after_any_change(
    database: Postgres, tmp_path: Path
) -> None:
    with store_at(tmp_path, database.uri) as store:
        fill(store)
        model, plain, writer = ReadModel(store.uri), ClientReader(store), Writer(store, 1)
        assert_current(model, plain)
        for _ in range(15):
            for _ in range(writer.chance.randrange(4)):
                writer.step()
            assert_current(model, plain, [writer.chance.choice(QUESTIONS_OF_COLUMNS)])
        assert_current(model, plain)


def test_runs_of_a_server_are_kept_and_equal_a_plain_read_after_any_change(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes of others on runs that have ended are seen once all runs were read again."""
    monkeypatch.setattr(server_runs, "LOOK_S", 0.0)
    monkeypatch.setattr(server_runs, "ALL_S", 0.0)
    with store_at(tmp_path, server.uri) as store:
        fill(store)
        others, plain = RunStore(store.settings), ClientReader(store)
        writer = Writer(others, 2)

        def differs() -> str:
            try:
                pd.testing.assert_frame_equal(store.read.runs(recent=True), plain.runs())
            except AssertionError as error:
                return str(error)
            return ""

        assert not differs()
        for _ in range(5):
            for _ in range(writer.chance.randrange(4)):
                writer.step()
            wait_for(lambda: not differs(), 60)
        ended, erased, running = (others.create(ExperimentConfig()) for _ in range(3))
        for run_id in (ended, erased):
            others.set_status(run_id, schema.FINISHED)
        monkeypatch.setattr(server_runs, "ALL_S", 3600.0)
        wait_for(lambda: not differs(), 60)
        store.set_tags(ended, {"note": "by this process"})
        erase(store, erased)
        new = others.create(ExperimentConfig())
        others.log_metrics(running, {"loss": 0.125}, 9)
        found = store.read.runs(["note", "loss"], recent=True).set_index("run_id")
        assert found["tags.note"][ended] == "by this process"
        assert found["metrics.loss"][running] == 0.125
        assert new in found.index
        assert erased not in found.index


def test_a_change_while_all_runs_are_read_again_stays_seen(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_runs, "LOOK_S", 0.0)
    with store_at(tmp_path, server.uri) as store:
        reader = store.read
        assert isinstance(reader, ClientReader)
        ended = store.create(ExperimentConfig())
        store.set_status(ended, schema.FINISHED)
        for _ in range(server_runs.NEWEST):  # so that a look does not come upon it
            store.client.create_run(store.experiment_id)
        reader.runs(recent=True)
        plain, done = reader.every, Event()

        def read_then_change(page: int) -> Iterator[list[Any]]:
            pages = list(plain(page))
            if page != server_runs.NEWEST and not done.is_set():
                store.set_tags(ended, {"note": "meanwhile"})
                reader.runs(recent=True)
                done.set()
            return iter(pages)

        def note() -> object:
            return reader.runs(["note"], recent=True).set_index("run_id").get("tags.note", {}).get(ended)

        monkeypatch.setattr(reader, "every", read_then_change)
        monkeypatch.setattr(server_runs, "ALL_S", 0.0)
        wait_for(lambda: (reader.runs(recent=True), done.is_set())[1], 60)
        monkeypatch.setattr(server_runs, "ALL_S", 3600.0)
        wait_for(lambda: reader._kept._reading is None, 60)
        assert note() == "meanwhile"


def test_an_unchanged_server_is_asked_for_few_runs(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_runs, "LOOK_S", 0.0)
    with store_at(tmp_path, server.uri) as store:
        fill(store)
        reader = store.read
        assert isinstance(reader, ClientReader)
        reader.runs(recent=True)
        pages: list[int] = []
        plain = reader.every
        monkeypatch.setattr(reader, "every", lambda page: (pages.append(page), plain(page))[1])
        version = reader.runs_version()
        reader.runs(["model.name"], recent=True)
        assert reader.runs_version() == version
        assert pages == [server_runs.NEWEST] * 3
        store.set_tags(store.read.run_ids()[0], {"note": "x"})
        assert reader.runs_version() != version
