"""Runs on a real Ray cluster of one machine, tracked by a real MLflow server: `make test-cluster`."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import settings as settings_module
from core.jobs.executors.ray import Cluster, cluster_of
from core.jobs.launch import cancel, launch
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.conftest import SMALL, stop_processes, using
from tests.waiting import wait_for

RAY = os.environ.get("ARCHLAB_TEST_RAY")
pytestmark = pytest.mark.skipif(not RAY, reason="make test-cluster installs Ray and names it")

TOKEN = secrets.token_hex(16)
LONG = SMALL.with_values({"training.epochs": 100_000})


@dataclass(frozen=True)
class Head:
    """A head that runs, or could: its ports, and where it keeps its files."""

    port: int
    dashboard: int
    folder: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.dashboard}"

    @contextmanager
    def running(self) -> Iterator[None]:
        assert RAY is not None
        environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        command = [
            RAY, "start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", str(self.port),
            "--dashboard-host", "127.0.0.1", "--dashboard-port", str(self.dashboard), "--num-cpus", "2",
            "--disable-usage-stats", "--temp-dir", self.folder,
        ]  # fmt: skip
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            wait_for(lambda: not Cluster(self.address, TOKEN).problem(), 120)
            yield
        finally:
            subprocess.run([RAY, "stop", "--force"], env=environment, capture_output=True, check=False)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:  # sockets need short paths
        found = Head(free_port(), free_port(), folder)
        with found.running():
            yield found


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a database and artifacts of its own."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", f"{folder}/artifacts",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=folder, start_new_session=True)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{address}/health", timeout=5).status == 200
        except OSError:
            return False

    wait_for(answers, 120)
    yield address
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


@pytest.fixture
def store(head: Head, tracking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The store of an installation whose runs train on the cluster."""
    with using(tmp_path / "home") as found:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
        monkeypatch.setenv("ARCHLAB_EXECUTOR", "ray")
        monkeypatch.setenv("ARCHLAB_RAY_ADDRESS", head.address)
        monkeypatch.setenv("ARCHLAB_RAY_TOKEN", TOKEN)
        monkeypatch.setenv("ARCHLAB_RAY_GPUS", "0")
        settings_module.get_settings.cache_clear()
        yield get_store()
        for run in get_store().active():
            cancel(get_store(), run.run_id)
        stop_processes(found)


def worker_pid(settings: Settings) -> int:
    return int((settings.home / "worker.pid").read_text().rsplit(":", 2)[1])


def job_of(store: RunStore, run_id: str) -> str:
    return store.state(run_id).tags[schema.JOB]


def test_a_run_trains_on_the_cluster_and_says_all_to_the_server(store: RunStore) -> None:
    (run_id,) = launch([SMALL])
    wait_for(lambda: not store.state(run_id).active, 200)
    assert store.state(run_id).status == schema.FINISHED, read_log(store, run_id)
    assert set(schema.FINAL_METRICS) <= set(store.run(run_id).data.metrics)
    assert "epoch 2/2" in store.read_text(run_id, schema.LOG)
    assert cluster_of(store.settings).status(job_of(store, run_id)) == ("SUCCEEDED", 0)
    assert store.model_file(run_id).exists()


def test_one_is_cancelled_and_the_next_starts(store: RunStore) -> None:
    """One slot, so Ray gets the second job when the first has ended."""
    first, second = launch([LONG, LONG])
    wait_for(lambda: "epoch 1/" in read_log(store, first), 200)
    assert store.state(second).status == schema.SCHEDULED
    cancel(store, first)
    wait_for(lambda: not store.state(first).active, 60)
    assert store.state(first).status == schema.KILLED
    wait_for(lambda: store.state(second).status == schema.RUNNING, 30)
    assert cluster_of(store.settings).status(job_of(store, first))[0] == "STOPPED"


def test_a_job_outlives_its_worker_and_the_next_one_takes_it_over_with_its_slot(store: RunStore) -> None:
    longer = SMALL.with_values({"training.epochs": 60})
    first, second = launch([longer, SMALL])
    wait_for(lambda: "epoch 1/" in read_log(store, first), 200)
    job = job_of(store, first)
    os.kill(worker_pid(store.settings), signal.SIGKILL)
    wait_for(lambda: not worker_of(store.settings).is_running(), 10)
    assert store.state(first).status == schema.RUNNING
    worker_of(store.settings).ensure()
    wait_for(lambda: worker_of(store.settings).is_running())
    assert store.state(second).status == schema.SCHEDULED  # the only slot is taken
    wait_for(lambda: not store.state(first).active, 200)
    assert store.state(first).status == schema.FINISHED, read_log(store, first)
    assert job_of(store, first) == job
    steps = frames.histories(store, [first], ["loss"])["step"].tolist()
    assert steps == list(range(1, 61))
    wait_for(lambda: not store.state(second).active, 200)
    assert store.state(second).status == schema.FINISHED


def test_a_head_that_is_away_is_said_and_waited_for(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        away = Head(free_port(), free_port(), folder)
        assert "cannot be reached" in Cluster(away.address, TOKEN).problem()
        monkeypatch.setenv("ARCHLAB_RAY_ADDRESS", away.address)
        settings_module.get_settings.cache_clear()
        (run_id,) = launch([SMALL])
        log = store.settings.home / "worker.log"
        wait_for(lambda: log.exists() and "cannot be reached" in log.read_text(), 60)
        assert get_store().state(run_id).status == schema.SCHEDULED


def test_a_wrong_token_is_said(head: Head) -> None:
    problem = Cluster(head.address, "wrong").problem()
    assert "refused (40" in problem
    assert "ARCHLAB_RAY_TOKEN" in problem


def test_the_cluster_is_examined_by_the_doctor(store: RunStore) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "core", "doctor"], cwd=PROGRAM, capture_output=True, text=True, check=False
    )
    assert f"{store.settings.ray_address} answers" in answer.stdout
