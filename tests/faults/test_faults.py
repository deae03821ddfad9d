"""What may go wrong around a training, done for real: nothing is lost, nothing runs twice, nobody lies.

TIMES says how often each accident happens: once in `make test`, twenty times in `make test-faults`.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from core.jobs import queue
from core.jobs.logs import log_path, read_log
from core.jobs.recovery import recover
from core.jobs.worker import worker_of
from core.launching.continuing import cancel, resume
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.log_limit import CUT, LOG_LIMIT
from core.system.parent_watch import STARTED
from core.system.process_ids import is_alive, process_name
from core.system.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.dashboards import is_served, start_dashboard
from tests.support.homes import SMALL
from tests.support.own_models import write_net
from tests.support.processes import trainings
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_spare")]

TIMES = int(os.environ.get("ARCHLAB_FAULTS", "1"))
OFTEN = TIMES >= 20
LINES = 1_100_000 if OFTEN else 80_000  # of 1,000 characters: a gigabyte, or little more than the limit
MANY = 100  # runs take seconds to write down
LONG = SMALL.with_values({"training.epochs": 100_000})
SHORTEST = SMALL.with_values({"training.epochs": 1})


def runs_of(store: RunStore) -> list[str]:
    """The ids of all runs; parents of groups are none."""
    return frames.runs(store)["run_id"].tolist()


def end_all(store: RunStore) -> None:
    for run in store.active():
        cancel(store, run.run_id)
    wait_for(lambda: not store.active(), 60)


def assert_all_there_and_none_twice(store: RunStore, launched: list[str]) -> None:
    assert sorted(runs_of(store)) == sorted(launched)
    for run_id in launched:
        log = log_path(store, run_id)
        assert not log.exists() or log.read_text().count(STARTED) == 1


def test_a_training_killed_at_any_moment_ends_failed_with_its_reason_and_the_next_one_starts(
    store: RunStore,
) -> None:
    waiting = launch([LONG] * (TIMES + 1))
    for run_id, following in itertools.pairwise(waiting):
        wait_for(lambda: trainings(run_id))  # noqa: B023
        time.sleep(random.uniform(0, 8))
        killed = time.monotonic()
        for process in trainings(run_id):
            process.kill()
        wait_for(lambda: not store.state(run_id).active, 5)  # noqa: B023
        state = store.state(run_id)
        assert state.status == schema.FAILED
        assert "ended by SIGKILL" in state.tags[schema.FAILURE], (state, time.monotonic() - killed)
        wait_for(lambda: store.state(following).status == schema.RUNNING, 10)  # noqa: B023
    end_all(store)
    for run_id in waiting[:-1]:
        resume(store, run_id)
    assert [run.run_id for run in store.active()] == waiting[:-1]
    wait_for(lambda: store.state(waiting[0]).status == schema.RUNNING)
    end_all(store)


def test_a_worker_killed_at_any_moment_loses_nothing_and_runs_nothing_twice(
    store: RunStore, settings: Settings
) -> None:
    launched = []
    for _ in range(TIMES):
        launched += launch([LONG, LONG])
        wait_for(lambda: (settings.home / "worker.pid").exists() and worker_of(settings).is_running())
        time.sleep(random.uniform(0, 6))
        before = {run.run_id: run.status for run in store.active()}
        worker = int((settings.home / "worker.pid").read_text().rsplit(":", 2)[1])
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not worker_of(settings).is_running(), 10)
        worker_of(settings).ensure()
        wait_for(lambda: worker_of(settings).is_running())
        ran = [run_id for run_id, status in before.items() if status == schema.RUNNING]
        for run_id in ran:
            wait_for(lambda: not store.state(run_id).active, 20)  # noqa: B023
            assert "died" in store.state(run_id).tags[schema.FAILURE]
            assert not trainings(run_id)
        wait_for(lambda: any(run.status == schema.RUNNING for run in store.active()), 20)
    end_all(store)
    assert_all_there_and_none_twice(store, launched)


def test_a_launch_killed_at_any_moment_leaves_whole_runs_or_failed_ones(
    store: RunStore, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(LONG.to_yaml())
    for _ in range(TIMES):
        known = set(runs_of(store))
        command = [sys.executable, "-m", "core", "train", str(config), "--seeds", str(MANY)]
        launcher = subprocess.Popen(command, cwd=PROGRAM, stdout=subprocess.DEVNULL)
        wait_for(lambda: len(set(runs_of(store)) - known) > 1)  # noqa: B023
        time.sleep(random.uniform(0, 0.5))
        launcher.kill()
        launcher.wait()
        assert len(set(runs_of(store)) - known) < MANY, "it was killed too late to mean anything"
        recover(store)
        for run in store.active():
            assert store.config(run.run_id).training == LONG.training
    end_all(store)
    for run_id in runs_of(store):
        assert store.state(run_id).status in (schema.KILLED, schema.FAILED)


def test_a_dashboard_killed_while_it_launches_leaves_whole_runs_or_failed_ones(
    empty_home: Settings, page: Page
) -> None:
    for _ in range(max(1, TIMES // 4)):
        server, url = start_dashboard()
        wait_for(lambda: is_served(url))  # noqa: B023
        page.goto(f"{url}/Train?epochs=100000&seeds={MANY}")
        launch_button = page.get_by_role("button", name="Launch")
        expect(launch_button).to_be_enabled()
        store = get_store()
        known = set(runs_of(store))
        launch_button.click()
        wait_for(lambda: len(set(runs_of(store)) - known) > 1)  # noqa: B023
        time.sleep(random.uniform(0, 1))
        server.kill()
        server.wait()
        assert len(set(runs_of(store)) - known) < MANY, "it was killed too late to mean anything"
        recover(store)
        for run in store.active():
            assert store.config(run.run_id).training.epochs == LONG.training.epochs
    end_all(store)
    for run_id in runs_of(store):
        assert store.state(run_id).status in (schema.KILLED, schema.FAILED)


def test_all_killed_at_once_lose_nothing(store: RunStore, settings: Settings) -> None:
    launched: list[str] = []
    for _ in range(TIMES):
        launched += launch([LONG, LONG])
        wait_for(lambda: any(run.status == schema.RUNNING for run in store.active()))
        time.sleep(random.uniform(0, 6))
        before = {run.run_id: run.status for run in store.active()}
        for process in processes_of(settings):
            process.kill()
        wait_for(lambda: not processes_of(settings), 10)
        with closing(sqlite3.connect(settings.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        worker_of(settings).ensure()
        for run_id, status in before.items():
            if status == schema.RUNNING:
                wait_for(lambda: store.state(run_id).status == schema.FAILED, 20)  # noqa: B023
        wait_for(lambda: any(run.status == schema.RUNNING for run in store.active()), 20)
    end_all(store)
    assert_all_there_and_none_twice(store, launched)


def processes_of(settings: Settings) -> list[psutil.Process]:
    """All that was started for a home, without this process itself."""
    home = str(settings.home)
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if process.pid != os.getpid()
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and (process.info["environ"] or {}).get("ARCHLAB_HOME") == home
    ]


def test_two_dashboards_and_a_command_that_find_no_store_make_one(
    empty_home: Settings, browser: Browser, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL.to_yaml())
    command = [sys.executable, "-m", "core", "train", str(config)]
    servers = [start_dashboard(), start_dashboard()]
    launcher = subprocess.Popen(command, cwd=PROGRAM, stdout=subprocess.PIPE, text=True)
    try:
        for _, url in servers:
            wait_for(lambda: is_served(url))  # noqa: B023
        pages = [browser.new_page() for _ in servers]
        for page, (_, url) in zip(pages, servers, strict=True):
            page.goto(url, wait_until="commit")
        for page in pages:
            expect(page.get_by_role("heading", name="ArchLab")).to_be_visible()
            expect(page.get_by_test_id("stException")).to_have_count(0)
        said = launcher.communicate(timeout=120)[0].split()
        assert launcher.returncode == 0
        store = get_store()
        assert runs_of(store) == said
        wait_for(lambda: not store.state(said[0]).active)
        assert store.state(said[0]).status == schema.FINISHED, read_log(store, said[0])
        workers = [one for one in processes_of(empty_home) if one.cmdline()[1:] == ["-m", "core", "worker"]]
        assert len(workers) == 1
        with closing(sqlite3.connect(empty_home.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            names = connection.execute("SELECT name FROM experiments ORDER BY name").fetchall()
            assert names == [("Default",), (schema.EXPERIMENT,)]
    finally:
        launcher.kill()
        for server, _ in servers:
            server.kill()


def test_processes_that_submit_together_make_one_queue(store: RunStore, tmp_path: Path) -> None:
    """All of them train when there is time for that: 200 runs in order, each once."""
    each, config = (50 if OFTEN else 5), tmp_path / "config.yaml"
    config.write_text((SHORTEST if OFTEN else LONG).to_yaml())
    command = [sys.executable, "-m", "core", "train", str(config), "--seeds", str(each)]
    launchers = [subprocess.Popen(command, cwd=PROGRAM, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [launcher.communicate(timeout=280)[0].split() for launcher in launchers]
    assert all(launcher.returncode == 0 for launcher in launchers)
    launched = [run_id for ids in said for run_id in ids]
    assert sorted(runs_of(store)) == sorted(launched)
    assert len(set(launched)) == 4 * each
    order = [run.run_id for run in queue.waiting(store)]
    for ids in said:  # each launcher's own runs are in the order in which it made them
        there = [run_id for run_id in ids if run_id in order]
        assert there == sorted(there, key=order.index)
    last = order[-1]
    queue.move_to_front(store, [last])
    order = [run.run_id for run in queue.waiting(store)]
    assert order[0] == last
    if not OFTEN:
        end_all(store)
        return
    wait_for(lambda: not store.active(), 3600)
    started = {run_id: int(store.state(run_id).tags[schema.STARTED]) for run_id in order}
    assert sorted(order, key=started.__getitem__) == order
    for run_id in launched:
        assert store.state(run_id).status == schema.FINISHED
        assert log_path(store, run_id).read_text().count(STARTED) == 1


def test_a_store_that_is_busy_for_long_stops_no_training(store: RunStore, settings: Settings) -> None:
    (run_id,) = launch([SMALL.with_values({"training.epochs": 40})])
    wait_for(lambda: store.read.last_step(run_id) >= 2)
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(30 if OFTEN else 5)
        connection.execute("ROLLBACK")
    wait_for(lambda: not store.state(run_id).active)
    assert store.state(run_id).status == schema.FINISHED, read_log(store, run_id)
    steps = frames.histories(store, [run_id], ["loss"])["step"].tolist()
    assert steps == list(range(1, 41))


def run_with_own_mounts(module: str, folder: Path) -> None:
    """Run a script of this folder where it may mount small disks, which nobody else sees."""
    command = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*command, "mount", "-t", "tmpfs", "none", folder], check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk of their own")
    script = [sys.executable, "-m", f"tests.faults.{module}", str(folder)]
    # MLflow puts the address of the store that it used last into the environment of this process
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    subprocess.run([*command, *script], cwd=PROGRAM, env=inherited, check=True)


@pytest.mark.timeout(900)  # its script waits for what a loaded machine does slowly
def test_a_store_whose_disk_is_full_gets_all_metrics_when_there_is_room_again(tmp_path: Path) -> None:
    run_with_own_mounts("full_disk", tmp_path)


@pytest.mark.timeout(900)  # its script waits for what a loaded machine does slowly
def test_a_full_disk_ends_no_training_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    run_with_own_mounts("full_home", tmp_path)


@pytest.mark.timeout(900)
def test_a_home_that_is_read_only_for_a_while_costs_no_training_its_result(tmp_path: Path) -> None:
    run_with_own_mounts("read_only_home", tmp_path)


def test_a_clock_that_is_set_back_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system reports the start of the machine by the clock; with it every process seems to move."""
    me = process_name(os.getpid())
    reported = psutil._psplatform.boot_time
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: reported() - 3600)
    assert process_name(os.getpid()) == me
    assert is_alive(me)


MISBEHAVING = {
    "deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "forking": "subprocess.Popen(['sleep', '1000'], start_new_session=True)",
    "talking": f"[print('x' * 999) for _ in range({LINES})]",
    "waiting": "threading.Event().wait()",
}


@pytest.fixture
def misbehaving(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Models that do what no training should."""
    own = tmp_path / "nets"
    own.mkdir()
    for name, does in MISBEHAVING.items():
        write_net(own, name, does)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(own))
    settings_module.get_settings.cache_clear()
    yield
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def test_a_training_that_does_not_listen_is_ended(misbehaving: None) -> None:
    store = get_store()
    (run_id,) = launch([LONG.with_values({"model.name": "deaf"})])
    wait_for(lambda: "epoch 1/" in read_log(store, run_id))
    cancel(store, run_id)
    wait_for(lambda: not store.state(run_id).active, 30)
    assert store.state(run_id).status == schema.KILLED
    assert not trainings(run_id)


def test_what_a_training_started_ends_with_it(misbehaving: None) -> None:
    store = get_store()
    (run_id,) = launch([LONG.with_values({"model.name": "forking"})])
    wait_for(lambda: "epoch 1/" in read_log(store, run_id))
    assert "sleep" in {process.name() for process in trainings(run_id)}
    for process in trainings(run_id):
        if process.name() != "sleep":
            process.kill()
    wait_for(lambda: not store.state(run_id).active, 10)
    assert not trainings(run_id)


def test_what_a_training_started_ends_when_its_worker_is_killed(
    misbehaving: None, settings: Settings
) -> None:
    store = get_store()
    (run_id,) = launch([LONG.with_values({"model.name": "forking"})])
    wait_for(lambda: "epoch 1/" in read_log(store, run_id))
    worker = int((settings.home / "worker.pid").read_text().rsplit(":", 2)[1])
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not worker_of(settings).is_running(), 10)
    assert {process.name() for process in trainings(run_id)} <= {"sleep", "python", "python3"}
    worker_of(settings).ensure()
    wait_for(lambda: not store.state(run_id).active, 20)
    assert not trainings(run_id)


def test_a_training_that_computes_nothing_is_ended(
    misbehaving: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLAB_IDLE_MINUTES", "0.1")
    settings_module.get_settings.cache_clear()
    store = get_store()
    (run_id,) = launch([LONG.with_values({"model.name": "waiting"})])
    wait_for(lambda: not store.state(run_id).active)
    assert store.state(run_id).status == schema.FAILED
    assert store.state(run_id).tags[schema.FAILURE] == (
        "The training computed nothing for 0.1 minutes, so it was ended."
    )


def test_a_run_submitted_after_the_clock_was_set_back_waits_behind_the_others(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.create(LONG)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    second = store.create(LONG)
    assert [run.run_id for run in queue.waiting(store)] == [first, second]


def test_a_log_that_grows_without_end_is_cut_and_its_end_stays_readable(misbehaving: None) -> None:
    store = get_store()
    (run_id,) = launch([SMALL.with_values({"model.name": "talking"})])
    wait_for(lambda: not store.state(run_id).active)
    assert store.state(run_id).status == schema.FINISHED, read_log(store, run_id)
    assert CUT in log_path(store, run_id).read_text()
    assert log_path(store, run_id).stat().st_size < LOG_LIMIT
    assert "epoch 2/2" in read_log(store, run_id)
