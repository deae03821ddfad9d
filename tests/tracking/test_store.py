"""The store: created once whoever comes first, and what single runs are written and read as."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from core.config import ExperimentConfig
from core.system.process_ids import is_alive, process_name, this_process
from core.system.settings import PROGRAM, Settings, SettingsError
from core.tracking import frames, schema
from core.tracking.connections import connected
from core.tracking.store import RunStore, UnknownRun, get_store
from core.tracking.tables import RUN_COLUMNS
from tests.support.homes import using

pytestmark = pytest.mark.slow


def test_processes_that_open_a_missing_store_together_make_one(empty_home: Settings) -> None:
    code = "from core.tracking.store import get_store; print(get_store().experiment_id)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=PROGRAM, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=120)[0].split()[-1] for process in processes}
    assert all(process.returncode == 0 for process in processes)
    assert len(answers) == 1
    with sqlite3.connect(empty_home.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_run_is_scheduled_with_its_config(store: RunStore) -> None:
    config = ExperimentConfig().with_values({"seed": 3, "model.options.depth": 8})
    run_id = store.create(config, {schema.RECIPE: "quickstart"})
    state = store.state(run_id)
    assert (state.status, state.name) == (schema.SCHEDULED, "lenet5 on digits")
    assert store.config(run_id) == config
    assert store.run(run_id).data.params["model.options.depth"] == "8"
    assert state.tags[schema.RECIPE] == "quickstart"


def test_runs_that_are_created_at_once_have_numbers_of_their_own(store: RunStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: store.create(ExperimentConfig()), range(16)))
    numbers = sorted(int(store.state(run_id).tags[schema.NUMBER]) for run_id in ids)
    assert numbers == list(range(1, 17))


def test_a_number_made_by_hand_stops_no_launch(store: RunStore) -> None:
    store.set_tags(store.create(ExperimentConfig()), {schema.NUMBER: "mine"})
    assert store.state(store.create(ExperimentConfig())).tags[schema.NUMBER] == "1"


def test_cancelling_a_waiting_run_ends_it_at_once(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    store.request_cancel(run_id)
    assert store.state(run_id).status == schema.KILLED
    assert store.active() == []


def test_unknown_runs_are_said(store: RunStore) -> None:
    first, second = (store.create(ExperimentConfig()) for _ in range(2))
    assert store.resolve(first[:12]) == first
    with pytest.raises(UnknownRun, match="No run has the id 'zz'"):
        store.resolve("zz")
    shared = next(length for length in range(33) if first[:length] != second[:length]) - 1
    with pytest.raises(UnknownRun):
        store.resolve(first[:shared])
    with pytest.raises(UnknownRun):
        store.state("../../etc/passwd")


def test_some_keys_of_runs_read_as_in_the_whole_table(store: RunStore) -> None:
    run_id = store.create(
        ExperimentConfig().with_values({"model.name": "resnet_cifar", "model.options": {"depth": 8}})
    )
    store.create_group("a group", 1)
    store.log_metrics(run_id, {"loss": 0.5, "val_loss": 0.25}, 7)
    everything = frames.runs(store)
    found = frames.runs(store, ["model.options.", "training.epochs", "val_loss", schema.NUMBER, "training_."])
    options = sorted(column for column in everything if column.startswith("params.model.options."))
    assert options
    wanted = ["metrics.val_loss", *options, "params.training.epochs", f"tags.{schema.NUMBER}"]
    assert list(found) == [*RUN_COLUMNS, *wanted]
    pd.testing.assert_frame_equal(found, everything[list(found)])
    assert found["last_epoch"].tolist() == [7.0]


def test_a_folder_that_is_moved_takes_its_files_along(store: RunStore, tmp_path: Path) -> None:
    config = ExperimentConfig()
    run_id = store.create(config)
    store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    other = store.client.create_experiment("logged elsewhere", artifact_location="file:///srv/artifacts")
    home = store.settings.home
    for name in ("moved away", "moved again"):  # in MLflow's tables a space is written as %20
        home = home.rename(tmp_path / name)
        with using(home) as settings:
            moved = get_store()
            assert moved.config(run_id) == config
            assert moved.models.file(run_id).is_relative_to(settings.artifacts)
            assert (settings.artifacts / moved.create(config) / "artifacts" / schema.CONFIG).exists()
            assert moved.client.get_experiment(other).artifact_location == "file:///srv/artifacts"
        assert not store.settings.home.exists()


def test_a_connection_that_the_store_closed_is_made_again(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    with connected(store.uri) as connection:
        theirs = connection.connection.driver_connection
    assert theirs is not None
    theirs.close()
    assert store.state(run_id).status == schema.SCHEDULED


def test_a_store_that_cannot_be_read_is_one_sentence(store: RunStore) -> None:
    with closing(sqlite3.connect(store.settings.database)) as connection:
        connection.execute("ALTER TABLE runs RENAME TO gone")
    readers = (RunStore.active, lambda store: store.state("0"), frames.run_ids, frames.runs)
    for read in readers:
        with pytest.raises(
            SettingsError, match=r"^The tracking store \S+ cannot be used: no such table: runs$"
        ):
            read(store)


def test_an_empty_store_reads_as_empty_frames(store: RunStore) -> None:
    assert frames.runs(store).empty
    assert list(frames.runs(store).columns) == RUN_COLUMNS
    assert frames.histories(store, []).empty


def test_artifacts_on_this_machine_are_read_without_mlflow(store: RunStore) -> None:
    """Importing it takes seconds, which a training would wait for before its first step."""
    run_id = store.create(ExperimentConfig())
    code = (
        "import sys\n"
        "from core.tracking.store import get_store\n"
        f"print(get_store().config('{run_id}').model.name, get_store().read.last_step('{run_id}'))\n"
        "assert 'mlflow' not in sys.modules\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True)
    assert answer.stdout == "lenet5 0\n", answer.stderr
    with pytest.raises(FileNotFoundError, match=r"has no 'nothing\.txt'"):
        store.artifact(run_id, "nothing.txt")


def test_a_process_is_known_by_more_than_its_number() -> None:
    assert is_alive(this_process())
    host, pid, birth = this_process().rsplit(":", 2)
    boot, started = birth.split("@")
    assert not is_alive(f"{host}:{pid}:{boot}@{float(started) - 100:.2f}")
    assert not is_alive(f"{host}:{pid}:00000000@{started}")  # of another start of the machine
    assert not is_alive("nonsense")
    for _ in range(30):  # one that has just begun is alive from its first moment
        with subprocess.Popen(["sleep", "10"]) as child:
            assert is_alive(process_name(child.pid))
            child.kill()
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        name = process_name(child.pid)
        while child.poll() is None and is_alive(name):
            pass
        assert not is_alive(name)  # a zombie until it is waited for


def test_a_run_that_is_saved_again_has_one_model(store: RunStore) -> None:
    """As a run does that was killed after its model was saved, and resumed."""
    run_id = store.create(ExperimentConfig())
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for value in (1.0, 2.0):
        model.set_weights([np.full(weight.shape, value, "float32") for weight in model.get_weights()])
        store.models.log(run_id, model)
    assert len(store.client.search_logged_models([store.experiment_id])) == 1
    saved = keras.saving.load_model(store.models.file(run_id), compile=False)
    assert saved.get_weights()[0].tolist() == [[2.0, 2.0]] * 4
