"""The engine, with a real worker and real trainings: what is asked happens, and final states are honest."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException

from core.commands import cli
from core.config import ConfigError
from core.datasets import load
from core.jobs.groups import repeated
from core.jobs.logs import read_log
from core.jobs.queue import waiting as in_the_queue
from core.jobs.recovery import recover
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.launching.launch import launch, launch_groups
from core.system import settings as settings_module
from core.system.process_ids import this_process
from core.system.settings import PROGRAM, NotAllowed, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import DIVERGING, SMALL, Trained, using
from tests.support.images import imported
from tests.support.processes import training_process
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_spare")]

LONG = SMALL.with_values({"training.epochs": 100_000})


def test_a_run_through_queue_and_worker_ends_finished_with_the_whole_schema(trained: Trained) -> None:
    store, run_id = get_store(), trained.run_id
    state, run = store.state(run_id), store.run(run_id)
    assert state.status == schema.FINISHED, read_log(store, run_id)

    assert set(schema.FINAL_METRICS) - {"gpu_peak_bytes"} <= set(run.data.metrics)  # that on a GPU alone
    data = json.loads(store.read_text(run_id, schema.DATA))
    launched = SMALL.with_values({"data.preprocessing": "scale"})  # the launch decides what auto is
    assert run.data.params == {
        **{key: str(value) for key, value in launched.flat().items()},
        schema.FINGERPRINT: data["fingerprint"],
        schema.SPLIT: data["split_fingerprint"],
        schema.EVALUATION: data["evaluation_fingerprint"],
    }
    history = frames.histories(store, [run_id])
    assert {name: group["step"].tolist() for name, group in history.groupby("metric")} == {
        name: [1, 2] for name in schema.EPOCH_METRICS
    }

    metrics = run.data.metrics
    values = history[history["metric"] == "val_accuracy"].set_index("step")["value"]
    assert metrics["best_val_accuracy"] == values.max()
    assert state.tags[schema.KEPT] == str(int(metrics["best_epoch"]))
    assert state.tags[schema.LOSS] == schema.CROSS_ENTROPY
    assert metrics["parameters"] == 44_426  # lenet5 at 28×28×1 with 10 classes

    dataset = load("digits")
    predictions = pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS))
    test = dataset.indices("test")
    assert predictions["index"].tolist() == test.tolist()
    assert predictions["label"].tolist() == dataset.labels[test].tolist()
    probabilities = predictions[[f"p{index}" for index in range(10)]].to_numpy()
    assert abs(probabilities.sum(axis=1) - 1).max() < 1e-5
    accuracy = (probabilities.argmax(axis=1) == dataset.labels[test]).mean()
    assert metrics["test_accuracy"] == pytest.approx(accuracy)

    assert data["fingerprint"] == dataset.info.fingerprint
    assert data["classes"] == list("0123456789")
    assert json.loads(store.read_text(run_id, schema.ENVIRONMENT))["packages"]["keras"]
    assert store.config(run_id) == SMALL  # the config keeps what was asked for
    assert "epoch 2/2" in store.read_text(run_id, schema.LOG)
    assert metrics["model_bytes"] == store.models.file(run_id).stat().st_size
    (dataset_input,) = run.inputs.dataset_inputs
    assert dataset_input.dataset.name == "digits"


def test_any_mlflow_client_can_load_the_model(trained: Trained) -> None:
    code = (
        "import sys, numpy, mlflow\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model(f'runs:/{sys.argv[2]}/model')\n"
        "print(model.predict(numpy.zeros((2, 28, 28, 1), 'float32')).shape)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, trained.settings.tracking_uri, trained.run_id],
        cwd=PROGRAM,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.stdout.strip().endswith("(2, 10)"), answer.stderr


def test_a_running_run_is_cancelled_and_the_next_one_starts_and_diverges(store: RunStore) -> None:
    first, second, third = launch([LONG, LONG, SMALL.with_values(DIVERGING)])
    wait_for(lambda: "epoch 1/" in read_log(store, first))
    cancel(store, second)  # still waiting: ends at once
    assert store.state(second).status == schema.KILLED
    training = training_process(first)
    cancel(store, first)
    wait_for(lambda: not store.state(first).active, 30)
    assert store.state(first).status == schema.KILLED
    assert not psutil.pid_exists(training)
    assert frames.histories(store, [second]).empty
    wait_for(lambda: not store.state(third).active)
    assert store.state(third).status == schema.FAILED
    assert "A smaller learning rate usually helps." in store.state(third).tags[schema.FAILURE]


def test_a_crashing_training_ends_failed_with_its_traceback(
    store: RunStore, settings: Settings, tmp_path: Path
) -> None:
    imported(tmp_path)
    run_id = store.create(SMALL.with_values({"data.name": "pets"}))
    images = settings.datasets / "pets" / "images.npy"
    images.write_bytes(images.read_bytes()[:-100])  # the disk lost most of it, after the launch
    worker_of(settings).ensure()
    wait_for(lambda: not store.state(run_id).active)
    state = store.state(run_id)
    assert state.status == schema.FAILED
    log = store.read_text(run_id, schema.LOG)
    assert "Traceback (most recent call last)" in log
    assert state.tags[schema.FAILURE] in log.splitlines()


def test_a_worker_that_is_asked_to_end_says_what_became_of_its_training(
    store: RunStore, settings: Settings
) -> None:
    (run_id,) = launch([LONG])
    wait_for(lambda: "epoch 1/" in read_log(store, run_id))
    worker_of(settings).stop()
    wait_for(lambda: not store.state(run_id).active, 30)
    assert store.state(run_id).status == schema.FAILED
    assert store.state(run_id).tags[schema.FAILURE] == "The worker was stopped."


def gone_process() -> str:
    """The name of a process of this machine that has ended."""
    host, pid, birth = this_process().rsplit(":", 2)
    boot, seconds = birth.split("@")
    return f"{host}:{pid}:{boot}@{float(seconds) - 100:.2f}"


def test_a_job_on_a_cluster_is_left_to_the_installation_that_put_it_there(store: RunStore) -> None:
    """Two on one machine that share a server: the job goes on, although the other's worker has died."""
    theirs = {schema.OWNER: gone_process(), schema.HOME: "another", schema.JOB: "archlab-1"}
    run_id = store.create(SMALL, theirs)
    store.set_status(run_id, schema.RUNNING)
    recover(store)
    assert store.state(run_id).status == schema.RUNNING


@pytest.mark.parametrize(("cancelled", "status"), [(False, schema.RUNNING), (True, schema.KILLED)])
def test_a_job_on_a_cluster_is_not_failed_by_a_worker_that_asks_no_cluster(
    store: RunStore, cancelled: bool, status: str
) -> None:
    run_id = store.create(SMALL, {schema.OWNER: gone_process(), schema.JOB: "archlab-1", schema.STARTED: "1"})
    store.set_status(run_id, schema.RUNNING)
    if cancelled:
        cancel(store, run_id)
    recover(store, serving=True)
    assert store.state(run_id).status == status


def test_a_worker_ends_what_the_one_before_it_left_on_another_machine(settings: Settings) -> None:
    """Whoever holds the lock of a home is its worker, so that no other one answers for its runs."""
    shared = replace(settings, tracking_uri=f"sqlite:///{settings.home}/shared.db")
    store = RunStore(shared)
    tags = {schema.OWNER: "elsewhere:1:1.00", schema.STARTED: "1"}
    ours, theirs = store.create(SMALL, tags), store.create(SMALL, {**tags, schema.HOME: "another"})
    for run_id in (ours, theirs):
        store.set_status(run_id, schema.RUNNING)
    recover(store)
    assert store.state(ours).status == schema.RUNNING  # nobody knows who serves this home
    recover(store, serving=True)
    assert store.state(ours).status == schema.FAILED
    assert store.state(theirs).status == schema.RUNNING


def refuse(settings: Settings, table: str, condition: str) -> None:
    """Have the store take no such row."""
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute(
            f"CREATE TRIGGER refused_{table} BEFORE INSERT ON {table} WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )


def test_a_launch_that_breaks_in_the_middle_of_a_group_leaves_one_of_fewer_runs_that_ends_with_its_last(
    store: RunStore, settings: Settings
) -> None:
    refuse(settings, "runs", "(SELECT COUNT(*) FROM runs) >= 3")  # the parent and two
    with pytest.raises(MlflowException, match="disk is full"):
        launch_groups([repeated(SMALL.with_values({"training.epochs": 1}), seeds=4)])
    (parent,) = store.read.open_groups()
    run_ids = frames.runs(store)["run_id"].tolist()
    assert len(run_ids) == 2
    assert parent.run_id not in run_ids  # it is no run to compare
    assert {one.run_id: one.tags[schema.PARENT] for one in store.active()} == dict.fromkeys(
        run_ids, parent.run_id
    )
    wait_for(lambda: not store.read.open_groups())  # the worker was started all the same
    assert store.state(parent.run_id).status == schema.FINISHED
    accuracies = [store.run(one).data.metrics["test_accuracy"] for one in run_ids]
    mean = pytest.approx(sum(accuracies) / 2)
    assert store.run(parent.run_id).data.metrics["test_accuracy"] == mean
    for command in (["status", parent.run_id[:12]], ["list", "groups"]):
        (told,) = json.loads(CliRunner().invoke(cli, [*command, "--json"]).stdout)
        assert (told["group"], told["runs"], told["finished"]) == (parent.run_id, 2, 2)
        assert told["test_accuracy"] == mean


def test_a_run_that_could_not_even_be_failed_can_be_cancelled(store: RunStore, settings: Settings) -> None:
    refuse(settings, "params", "TRUE")
    refuse(settings, "tags", f"NEW.key = '{schema.FAILURE}'")
    with pytest.raises(MlflowException, match="disk is full"):
        store.create(SMALL)
    (run,) = store.active()
    recover(store)
    assert store.state(run.run_id).status == schema.RUNNING  # its owner, this process, is alive
    cancel(store, run.run_id)
    recover(store)
    assert store.state(run.run_id).status == schema.KILLED


def test_a_group_is_cancelled_by_its_id(store: RunStore) -> None:
    run_ids = launch_groups([repeated(LONG, seeds=3)])
    (parent,) = store.read.open_groups()
    assert cancel(store, parent.run_id) == 3
    wait_for(lambda: not store.active(), 60)
    assert {store.state(run_id).status for run_id in run_ids} == {schema.KILLED}
    wait_for(lambda: not store.read.open_groups())
    assert store.state(parent.run_id).status == schema.FAILED


def test_what_is_launched_while_a_worker_ends_is_trained_by_the_next_one(
    store: RunStore, settings: Settings
) -> None:
    (first,) = launch([LONG])
    wait_for(lambda: "epoch 1/" in read_log(store, first))
    assert worker_of(settings).stop()
    (second,) = launch([SMALL])  # the first worker still holds its lock, and waits for its training
    wait_for(lambda: not store.state(second).active)
    assert store.state(first).status == schema.FAILED
    assert store.state(second).status == schema.FINISHED


def test_a_run_whose_launcher_died_ends_failed(store: RunStore) -> None:
    gone = gone_process()
    half = store.create(SMALL, {schema.OWNER: gone})
    store.set_status(half, schema.RUNNING)
    foreground = store.create(SMALL, {schema.OWNER: gone, schema.FOREGROUND: "true"})
    foreign = store.client.create_run(store.experiment_id).info.run_id
    recover(store)
    assert store.state(half).status == schema.FAILED
    assert store.state(foreground).status == schema.FAILED
    assert store.state(foreign).status == schema.RUNNING  # somebody else's: left alone


def test_a_foreground_run_that_is_interrupted_ends_killed(store: RunStore, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(LONG.to_yaml())
    command = subprocess.Popen(
        [sys.executable, "-m", "core", "train", str(config), "--foreground"], cwd=PROGRAM
    )
    wait_for(lambda: [one for one in store.active() if "epoch 1/" in read_log(store, one.run_id)])
    (run,) = store.active()
    training = training_process(run.run_id)
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130
    assert store.state(run.run_id).status == schema.KILLED
    assert not psutil.pid_exists(training)


def test_workers_that_start_together_are_one(settings: Settings) -> None:
    rivals = [
        subprocess.Popen([sys.executable, "-m", "core", "worker"], cwd=PROGRAM, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    worker_of(settings).ensure()
    wait_for(worker_of(settings).is_running)
    wait_for(lambda: len(_workers(settings)) == 1)
    worker_of(settings).ensure()
    (pid,) = _workers(settings)
    assert _worker_pid(settings) == pid
    assert worker_of(settings).stop()
    wait_for(lambda: not worker_of(settings).is_running())
    assert {rival.wait(30) for rival in rivals} == {0}


def test_a_worker_told_to_end_while_it_starts_ends_cleanly(settings: Settings) -> None:
    """From the moment it holds its lock a SIGTERM is a request, not a death in the middle of a write."""
    worker = subprocess.Popen([sys.executable, "-m", "core", "worker"], cwd=PROGRAM)
    wait_for(worker_of(settings).is_running, step_s=0.001)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


@pytest.mark.parametrize("text", ["", "elsewhere:1:1.00", "nonsense"])
def test_what_an_old_pid_file_says_keeps_nobody_from_starting(settings: Settings, text: str) -> None:
    """After a container's restart the file names a host that no longer is; process 1 must live on."""
    for name in ("worker.pid", "worker.starting", "worker.lock"):
        (settings.home / name).write_text(text)
    assert not worker_of(settings).is_running()
    assert not worker_of(settings).stop()
    worker_of(settings).ensure()
    wait_for(worker_of(settings).is_running)


def test_the_runs_of_a_machine_that_is_gone_end_failed(store: RunStore) -> None:
    run_id = store.create(SMALL, {schema.OWNER: "elsewhere:1:1.00"})
    store.set_status(run_id, schema.RUNNING)
    recover(store)
    assert store.state(run_id).status == schema.FAILED


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model.name": "resnet9000"}, "Unknown architecture 'resnet9000'. Known: "),
        ({"data.name": "imagenet"}, "Unknown dataset 'imagenet'. Known: "),
        ({"model.name": "conv9"}, "conv9 needs images of at least 50×50 pixels. Received: 28×28."),
        ({"model.options.depth": 3}, "lenet5 has no option 'depth'. Known: it has none."),
        (
            {"training.batch_size": 2000},
            "training.batch_size must be at most the number of training images, 1293 in 'digits'.",
        ),
        ({"augmentation.pad_and_crop": 28}, "augmentation.pad_and_crop must be smaller than the images"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    store: RunStore, change: dict, sentence: str
) -> None:
    with pytest.raises(ConfigError) as error:
        launch([SMALL, SMALL.with_values(change)])
    assert str(error.value).startswith(sentence)
    assert frames.run_ids(store) == []
    assert in_the_queue(store) == []


def test_a_viewer_can_neither_launch_nor_cancel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with using(tmp_path / "home"):
        run_id = get_store().create(SMALL)
        monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
        settings_module.get_settings.cache_clear()
        with pytest.raises(NotAllowed):
            launch([SMALL])
        with pytest.raises(NotAllowed):
            cancel(get_store(), run_id)
        assert get_store().state(run_id).status == schema.SCHEDULED


def _workers(settings: Settings) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["cmdline"] or [])[-2:] == ["core", "worker"]
        and (process.info["environ"] or {}).get("ARCHLAB_HOME") == str(settings.home)
    ]


def _worker_pid(settings: Settings) -> int:
    return int((settings.home / "worker.pid").read_text().rsplit(":", 2)[1])


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_runs_in_the_queue_of_another_installation_are_left_to_it(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two homes, the second keeps its runs in the database of the first."""
    own = store.create(SMALL)
    with using(tmp_path / "second"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
        settings_module.get_settings.cache_clear()
        second = get_store()
        theirs = second.create(SMALL)
        for one, waiting in ((store, own), (second, theirs)):
            recover(one)
            assert [run.run_id for run in in_the_queue(one)] == [waiting]


def test_a_folder_that_was_moved_keeps_its_runs(store: RunStore, tmp_path: Path) -> None:
    waiting = store.create(SMALL)
    store.settings.home.rename(tmp_path / "moved")
    with using(tmp_path / "moved"):
        recover(get_store())
        assert [run.run_id for run in in_the_queue(get_store())] == [waiting]


def test_a_read_only_server_has_no_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    command = [sys.executable, "-m", "core", "worker"]
    answer = subprocess.run(command, cwd=PROGRAM, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: This server is read-only")


def test_a_launch_that_cannot_be_written_down_ends_failed(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(store.client, "log_text", full)
    with pytest.raises(OSError, match="No space left"):
        store.create(SMALL)
    (run_id,) = frames.run_ids(store)
    assert store.state(run_id).status == schema.FAILED
    assert "No space left on device" in store.state(run_id).tags[schema.FAILURE]
