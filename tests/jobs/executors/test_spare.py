"""The spare process: its trainings are as those of a process that was started for them, and as isolated."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
import pytest

from core.jobs.executors.environment import training_environment
from core.jobs.executors.spare import Spare
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.parent_watch import STARTED
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import SMALL, Trained
from tests.support.processes import spare_process, training_process, trainings
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine
LONG = SMALL.with_values({"training.epochs": 100_000})


def waiting(settings: Settings) -> tuple[int, psutil.Process]:
    """The process id of a worker, and its spare process."""

    def serves() -> bool:
        worker_of(settings).ensure()
        return worker_of(settings).is_running() and (settings.home / "worker.pid").exists()

    wait_for(serves)
    worker = int((settings.home / "worker.pid").read_text().rsplit(":", 2)[1])
    wait_for(lambda: spare_process(worker) is not None)
    spare = spare_process(worker)
    assert spare is not None
    return worker, spare


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def is_forked(pid: int) -> bool:
    """A process that was executed for a run has each argument for itself."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"python -m core.training ")


@contextmanager
def adopting() -> Iterator[None]:
    """Undo afterwards that this process adopts orphans, which it does where it has a spare process."""
    try:
        yield
    finally:
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


@pytest.fixture
def spare(with_spare: None, store: RunStore) -> Iterator[Spare]:
    with adopting():
        found = Spare(settings_module.get_settings(), {})
        yield found
        found.close()


def trained_since(store: RunStore, run_id: str) -> bool:
    return "epoch 1/" in read_log(store, run_id)


def test_a_fork_trains_what_a_process_started_for_the_run_trains(
    own: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHLAB_SPARE_MINUTES")
    settings_module.get_settings.cache_clear()
    store = get_store()
    cold = pd.read_parquet(store.artifact(own.run_id, schema.PREDICTIONS))
    _, spare = waiting(own.settings)
    forked = launch([SMALL, SMALL])
    wait_for(lambda: not store.active())
    for run_id in forked:
        assert store.state(run_id).status == schema.FINISHED, read_log(store, run_id)
        assert read_log(store, run_id).splitlines()[0] == STARTED
        assert "first step at" in read_log(store, run_id)
        found = pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS))
        pd.testing.assert_frame_equal(found, cold, atol=1e-5)
    assert spare.is_running(), "it trains nothing itself"


AHEAD = """
import sys, threading
from core.training.spare import import_ahead
import_ahead()
wanted = {"keras", "tensorflow", "mlflow", "mlflow.store.tracking.sqlalchemy_store", "sklearn.metrics"}
print(wanted - set(sys.modules), threading.active_count())
"""


def test_what_a_training_imports_is_imported_ahead_without_a_thread_or_a_store(settings: Settings) -> None:
    before = settings.database.stat().st_mtime_ns
    answer = subprocess.run([sys.executable, "-c", AHEAD], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "set() 1"  # a fork has none of its parent's threads
    assert settings.database.stat().st_mtime_ns == before


@pytest.mark.usefixtures("with_spare")
def test_a_training_has_its_own_session_is_its_workers_child_and_survives_the_spare(
    settings: Settings, store: RunStore
) -> None:
    worker, spare = waiting(settings)
    (run_id,) = launch([LONG])
    wait_for(lambda: trained_since(store, run_id))
    training = training_process(run_id)
    assert is_forked(training)
    assert psutil.Process(training).ppid() == worker
    assert os.getsid(training) == training
    spare.kill()
    wait_for(lambda: is_gone(spare.pid))
    before = store.read.last_step(run_id)
    wait_for(lambda: store.read.last_step(run_id) > before + 1)
    cancel(store, run_id)
    wait_for(lambda: not store.state(run_id).active, 30)
    assert store.state(run_id).status == schema.KILLED
    assert is_gone(training)
    (after,) = launch([SMALL])
    wait_for(lambda: not store.state(after).active)
    assert store.state(after).status == schema.FINISHED, read_log(store, after)


@pytest.mark.usefixtures("with_spare")
def test_a_killed_training_is_a_failed_run_and_harms_no_other(settings: Settings, store: RunStore) -> None:
    worker, spare = waiting(settings)
    killed, after = launch([LONG, SMALL])
    wait_for(lambda: trained_since(store, killed))
    os.kill(training_process(killed), signal.SIGKILL)
    wait_for(lambda: not store.active())
    assert store.state(killed).status == schema.FAILED
    assert "SIGKILL" in store.state(killed).tags[schema.FAILURE]
    assert store.state(after).status == schema.FINISHED, read_log(store, after)
    assert spare.is_running()
    left = [one for one in psutil.Process(worker).children() if one.status() == psutil.STATUS_ZOMBIE]
    assert not left


@pytest.mark.usefixtures("with_spare")
def test_a_killed_worker_takes_spare_and_training_with_it(settings: Settings, store: RunStore) -> None:
    worker, spare = waiting(settings)
    (run_id,) = launch([LONG])
    wait_for(lambda: trained_since(store, run_id))
    training = training_process(run_id)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: is_gone(training) and is_gone(spare.pid), 20)


@pytest.mark.usefixtures("with_spare")
def test_an_idle_spare_is_ended_and_the_next_run_starts_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLAB_SPARE_MINUTES", "0.1")
    settings_module.get_settings.cache_clear()
    store = get_store()
    worker, spare = waiting(settings)
    wait_for(lambda: is_gone(spare.pid), 60)
    (run_id,) = launch([LONG])
    wait_for(lambda: trained_since(store, run_id))
    other = spare_process(worker)
    assert other is not None
    assert other.pid != spare.pid
    cancel(store, run_id)
    wait_for(lambda: not trainings(run_id), 30)


@pytest.mark.usefixtures("with_spare")
def test_a_run_whose_variables_are_read_at_the_import_gets_a_process_of_its_own(
    settings: Settings, tmp_path: Path, spare: Spare
) -> None:
    with (tmp_path / "log").open("wb") as output:
        environment = training_environment(settings, {"JAX_PLATFORMS": "cpu"})
        assert spare.fork("a", environment, output.fileno(), lambda: False) is None
        assert spare.fork("a", training_environment(settings, {}), output.fileno(), lambda: True) is None


@pytest.mark.usefixtures("with_spare")
def test_a_spare_that_ends_at_once_is_not_started_over_and_over(
    spare: Spare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    spare.keep(busy=False)
    first = spare_process(os.getpid())
    assert first is not None
    wait_for(lambda: is_gone(first.pid))
    for _ in range(20):
        spare.keep(busy=False)
        assert spare_process(os.getpid()) is None


@pytest.mark.usefixtures("with_spare")
def test_a_training_of_any_length_keeps_the_spare_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    monkeypatch.setenv("ARCHLAB_SPARE_MINUTES", "0.02")
    settings_module.get_settings.cache_clear()
    with adopting():
        spare = Spare(settings_module.get_settings(), {})
        spare.keep(busy=False)
        first = spare_process(os.getpid())
        long_enough = time.monotonic() + 2.0
        while time.monotonic() < long_enough:
            spare.keep(busy=True)
        spare.keep(busy=False)
        assert spare_process(os.getpid()) == first
        wait_for(lambda: spare.keep(busy=False) or spare_process(os.getpid()) is None)


@pytest.mark.usefixtures("with_spare")
def test_a_home_that_takes_no_file_costs_the_spare_and_no_run(
    spare: Spare, settings: Settings, tmp_path: Path
) -> None:
    (settings.home / "spare.log").mkdir()
    spare.keep(busy=False)
    with (tmp_path / "log").open("wb") as output:
        environment = training_environment(settings, {})
        assert spare.fork("a", environment, output.fileno(), lambda: False) is None


@pytest.mark.usefixtures("with_spare")
def test_a_spare_that_cannot_import_keras_leaves_the_reason_to_the_training(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    store = get_store()
    (run_id,) = launch([SMALL.with_values({"data.preprocessing": "scale"})])
    wait_for(lambda: not store.active())
    assert store.state(run_id).status == schema.FAILED
    assert "nonsense" in read_log(store, run_id)


@pytest.mark.usefixtures("with_spare")
def test_no_history_is_mixed_between_runs_forked_from_one_spare(settings: Settings, store: RunStore) -> None:
    waiting(settings)
    runs = launch([SMALL.with_values({"seed": seed}) for seed in (1, 2)])
    wait_for(lambda: not store.active())
    history = frames.histories(store, runs).query("metric == 'loss'")
    first, second = (history[history["run_id"] == run_id]["value"].tolist() for run_id in runs)
    assert len(first) == len(second) == 2
    assert first != second
