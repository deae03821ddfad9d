"""Runs on a real Ray cluster of one machine, tracked by a real MLflow server: `make test-cluster`."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from core.jobs.executors.ray_head import Cluster, cluster_of
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import SMALL, stop_processes, using
from tests.support.own_models import write_net
from tests.support.servers import free_port, mlflow_server
from tests.support.waiting import wait_for

RAY = os.environ.get("ARCHLAB_TEST_RAY")
pytestmark = pytest.mark.skipif(not RAY, reason="make test-cluster installs Ray and names it")

MARK = "ARCHLAB_TEST_HEAD"  # in the environment of all that a head starts
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
        environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # docs/cluster.md says what it is for
            MARK: self.folder,
        }
        command = [
            RAY, "start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", str(self.port),
            "--dashboard-host", "127.0.0.1", "--dashboard-port", str(self.dashboard), "--num-cpus", "2",
            "--num-gpus", "1", "--dashboard-agent-listen-port", str(free_port()),
            "--ray-client-server-port", str(free_port()),
            "--disable-usage-stats", "--temp-dir", self.folder,
        ]  # fmt: skip
        process = subprocess.Popen(command, env=environment)
        try:
            wait_for(lambda: not Cluster(self.address, TOKEN).problem(), 120)
            yield
        finally:
            for one in self.processes():  # `ray stop` would end every cluster of this machine
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()

    def processes(self) -> list[psutil.Process]:
        """All that belongs to the head, and the jobs that it has started."""
        marked = [
            process
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get(MARK) == self.folder
        ]
        found = dict.fromkeys(marked)
        for process in marked:  # those that Ray gives a title of their own have no environment any more
            with suppress(psutil.NoSuchProcess):
                found.update(dict.fromkeys(process.children(recursive=True)))
        return list(found)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:  # sockets need short paths
        found = Head(free_port(), free_port(), folder)
        with found.running():
            yield found


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with a database and artifacts of its own."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server.uri


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
        wait_for(lambda: not get_store().active(), 60)  # else the job trains on beside the next test
        stop_processes(found)


def test_the_head_listens_to_this_machine_alone(head: Head) -> None:
    def listening() -> list[str]:
        return [
            connection.laddr.ip
            for process in head.processes()
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]

    wait_for(lambda: len(listening()) > 7)  # its parts start one after another
    assert {ip_address(one.removeprefix("::ffff:")).is_loopback for one in listening()} == {True}


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
    assert cluster_of(store.settings).job(job_of(store, run_id)).status == "SUCCEEDED"
    assert store.models.file(run_id).exists()


def test_one_is_cancelled_and_the_next_starts(store: RunStore) -> None:
    """One slot, so Ray gets the second job when the first has ended."""
    first, second = launch([LONG, LONG])
    wait_for(lambda: "epoch 1/" in read_log(store, first), 200)
    assert store.state(second).status == schema.SCHEDULED
    cancel(store, first)
    wait_for(lambda: not store.state(first).active, 60)
    assert store.state(first).status == schema.KILLED
    wait_for(lambda: store.state(second).status == schema.RUNNING, 30)
    assert cluster_of(store.settings).job(job_of(store, first)).status == "STOPPED"


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
        (run_id,) = launch([LONG])
        log = store.settings.home / "worker.log"
        wait_for(lambda: log.exists() and "cannot be reached" in log.read_text(), 60)
        assert get_store().state(run_id).status == schema.SCHEDULED
        with away.running():
            wait_for(store.settings.checkpoint(run_id).exists, 200)
        with away.running():  # anew: it has forgotten its jobs
            wait_for(lambda: not get_store().state(run_id).active, 60)
        state = get_store().state(run_id)
        assert state.status == schema.FAILED
        assert "does not know the job any more" in state.tags[schema.FAILURE]
        assert store.settings.checkpoint(run_id).exists()  # so it can be resumed


def test_a_job_that_computes_nothing_ends_itself(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is a user's own: the cluster's machines are told where these lie."""
    write_net(tmp_path, "waiting", "threading.Event().wait()")
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(tmp_path))
    monkeypatch.setenv("ARCHLAB_IDLE_MINUTES", "0.1")
    settings_module.get_settings.cache_clear()
    store = get_store()
    (run_id,) = launch([LONG.with_values({"model.name": "waiting"})])
    wait_for(lambda: not store.state(run_id).active, 120)
    assert store.state(run_id).tags[schema.FAILURE] == (
        "The training computed nothing for 0.1 minutes, so it was ended."
    )


def test_a_job_gets_the_gpus_that_it_takes(head: Head) -> None:
    """Of those that the head counts: it was told of one, which this machine may not have."""
    cluster = Cluster(head.address, TOKEN)
    for job, gpus in (("with", 1), ("without", 0)):
        cluster.submit(job, "echo devices: $CUDA_VISIBLE_DEVICES.", {}, gpus)
    wait_for(lambda: all(cluster.job(job).status == "SUCCEEDED" for job in ("with", "without")), 60)
    assert "devices: 0." in cluster.log("with")
    assert "devices: 0." not in cluster.log("without")


def test_a_wrong_token_is_said(head: Head) -> None:
    problem = Cluster(head.address, "wrong").problem()
    assert "refused (40" in problem
    assert "ARCHLAB_RAY_TOKEN" in problem


def test_the_cluster_is_examined_by_the_doctor(store: RunStore) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "core", "doctor"], cwd=PROGRAM, capture_output=True, text=True, check=False
    )
    assert f"{store.settings.ray_address} answers" in answer.stdout
