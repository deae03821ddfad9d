"""Files of runs and of processes that are damaged are said in a sentence, or written again."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.mistakes import answers
from core.config import ConfigError, ExperimentConfig
from core.inference.process import inference_of
from core.inference.protocol import Address, address_file, read_address, write_address
from core.jobs import imports
from core.jobs.worker import WorkerSettings, worker_of
from core.launching.continuing import config_of, require_same_images
from core.system.memory import Memory
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.opening import home_id
from core.tracking.progress import latest
from core.tracking.store import RunStore
from tests.support.pages import opened

pytestmark = pytest.mark.slow

DAMAGES = {"empty": b"", "cut off": b'{"name": "digits", "cl', "noise": b"\x93\x00\xff" * 99, "list": b"[1]"}


@pytest.fixture
def run_id(store: RunStore) -> str:
    """A finished run whose files are there, to be damaged."""
    made = store.create(ExperimentConfig())
    store.log_json(made, {"name": "digits", "fingerprint": "f", "classes": ["0", "1"]}, schema.DATA)
    store.set_status(made, schema.FINISHED)
    return made


def damage(store: RunStore, run_id: str, name: str, data: bytes) -> None:
    path = store.artifact(run_id, schema.CONFIG).parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("data", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    "name", [schema.CONFIG, schema.DATA, schema.PREDICTIONS, schema.VALIDATION_PREDICTIONS]
)
def test_an_artifact_that_is_damaged_is_one_sentence(
    store: RunStore, run_id: str, name: str, data: bytes
) -> None:
    damage(store, run_id, name, data)
    read = {
        schema.CONFIG: lambda: store.config(run_id),
        schema.DATA: lambda: store.read_json(run_id, schema.DATA),
        schema.PREDICTIONS: lambda: answers(frames.predictions(store, run_id)),
        schema.VALIDATION_PREDICTIONS: lambda: frames.predictions(store, run_id, name),
    }[name]
    if name == schema.CONFIG and not data:
        assert store.config(run_id) == ExperimentConfig()  # an empty file sets nothing
        return
    with pytest.raises(
        DamagedArtifact, match=rf"^The file '{name}' of the run {run_id} is damaged: "
    ) as said:
        read()
    assert "\n" not in str(said.value)
    if name == schema.CONFIG:
        with pytest.raises(ConfigError, match=r"is damaged.*cannot continue"):
            config_of(store, run_id)
    if name == schema.DATA:
        with pytest.raises(ConfigError, match=r"is damaged.*not known which images"):
            require_same_images(store, run_id, ExperimentConfig())


@pytest.mark.parametrize("name", [schema.DATA, schema.PREDICTIONS])
def test_the_page_of_a_run_says_which_file_is_damaged(store: RunStore, run_id: str, name: str) -> None:
    for one in (schema.PREDICTIONS, name):  # the description of the data is read second
        damage(store, run_id, one, b"noise")
    app: AppTest = opened("pages/4_Run.py", run=run_id)
    assert not app.exception
    assert any("is damaged" in one.value for one in app.error)
    assert any(one.value == "Settings" for one in app.subheader)
    if name == schema.DATA:
        app = opened("pages/5_Predict.py", run=run_id)
        assert not app.exception
        assert any("is damaged" in one.value for one in app.error)


def test_state_files_that_are_damaged_are_written_again(settings: Settings, tmp_path: Path) -> None:
    write_address(settings, Address(5000, "00ff"))
    assert read_address(settings) == Address(5000, "00ff")
    settings.progress("a").parent.mkdir(parents=True)
    (settings.home / "imports").mkdir()
    for data in (*DAMAGES.values(), b'{"port": "x", "key": 5}', b"\xff\xfe"):
        address_file(settings).write_bytes(data)
        assert read_address(settings) is None
        (settings.home / "worker.json").write_bytes(data)
        assert WorkerSettings.by_worker(settings) == WorkerSettings.of(settings)
        settings.memory_file("a").write_bytes(data)
        assert Memory.read(settings.memory_file("a")) is None
        settings.progress("a").write_bytes(data)
        assert latest(settings, "a", {}) == {}
        (settings.home / "imports" / "one.json").write_bytes(data)
        assert imports.jobs(settings) == {}
        for daemon in (worker_of(settings), inference_of(settings)):
            for suffix in ("pid", "starting", "ending"):
                (settings.home / f"{daemon.name}.{suffix}").write_bytes(data)
            assert not daemon.is_running()
            assert daemon.stop() is False
    (settings.home / "home.id").write_bytes(b"")
    assert len(home_id(settings)) == 32
    assert home_id(settings) == home_id(settings)
