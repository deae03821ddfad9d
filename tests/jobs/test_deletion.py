"""Deleting runs and datasets: nothing of them is left, and nothing that others need is taken."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import keras
import pytest
from mlflow.entities import LoggedModelOutput
from streamlit.testing.v1 import AppTest

from core import datasets
from core.config import ConfigError
from core.jobs.deletion import delete, delete_dataset, lock, unlock
from core.system import settings as settings_module
from core.system.settings import NotAllowed, Settings
from core.tracking import frames, schema
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore
from tests.support.commands import run
from tests.support.homes import SMALL
from tests.support.images import imported
from tests.support.pages import in_address, opened

pytestmark = pytest.mark.engine


def finished(store: RunStore, tags: dict[str, str] | None = None, **changes: object) -> str:
    """A finished run with an artifact, a saved model, a checkpoint and a log."""
    run_id = store.create(SMALL.with_values(changes), tags)
    store.log_json(run_id, {"a": 1}, schema.DATA)
    logged = store.client.create_logged_model(store.experiment_id, name=schema.MODEL, source_run_id=run_id)
    store.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    model = Path(urlsplit(logged.artifact_location).path) / "data" / "model.keras"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    store.settings.checkpoint(run_id).parent.mkdir(parents=True, exist_ok=True)
    store.settings.checkpoint(run_id).write_bytes(b"checkpoint")
    store.settings.log(run_id).write_text("log")
    store.set_status(run_id, schema.FINISHED)
    return run_id


def files(settings: Settings) -> set[Path]:
    """All files that runs have written."""
    return {path for top in (settings.artifacts, settings.jobs) for path in top.rglob("*") if path.is_file()}


def test_nothing_of_a_deleted_run_is_left(store: RunStore) -> None:
    keep = finished(store)
    before = files(store.settings)
    gone = finished(store)
    assert len(files(store.settings)) == len(before) + 5  # config, data, model, checkpoint, log
    assert delete(store, [gone]).run_ids == (gone,)
    assert files(store.settings) == before
    assert frames.run_ids(store) == [keep]
    with pytest.raises(UnknownRun):
        store.resolve(gone)


def test_a_group_is_deleted_with_all_its_runs(store: RunStore) -> None:
    parent = store.create_group("several", 2)
    ids = [finished(store, {schema.PARENT: parent}, seed=seed) for seed in (1, 2)]
    alone = finished(store)
    store.set_status(parent, schema.FINISHED)
    assert set(delete(store, [parent]).run_ids) == set(ids)
    assert frames.run_ids(store) == [alone]


def test_the_last_run_of_a_group_takes_the_group_with_it(store: RunStore) -> None:
    parent = store.create_group("several", 2)
    ids = [finished(store, {schema.PARENT: parent}, seed=seed) for seed in (1, 2)]
    store.set_status(parent, schema.FINISHED)
    delete(store, ids[:1])
    assert set(frames.run_ids(store)) == {parent, ids[1]}
    delete(store, ids[1:])
    assert frames.run_ids(store) == []


def test_a_locked_group_stays_with_all_its_runs(store: RunStore) -> None:
    parent = store.create_group("several", 2)
    ids = [finished(store, {schema.PARENT: parent}, seed=seed) for seed in (1, 2)]
    store.set_status(parent, schema.FINISHED)
    lock(store, [parent])
    before = files(store.settings)
    for chosen in ([parent], ids, ids[:1]):
        with pytest.raises(ConfigError, match="'several' is locked"):
            delete(store, chosen)
    assert files(store.settings) == before
    assert set(frames.run_ids(store)) == {parent, *ids}
    unlock(store, [parent])
    delete(store, ids)
    assert frames.run_ids(store) == []


def test_a_model_that_was_replaced_is_removed_and_hinders_no_deletion(store: RunStore) -> None:
    before = files(store.settings)
    run_id = store.create(SMALL)
    for units in (2, 3):
        store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)]))
        assert len(list(store.settings.artifacts.rglob("model.keras"))) == 1
    assert len(store.run(run_id).outputs.model_outputs) == 2
    store.set_status(run_id, schema.FINISHED)
    assert delete(store, [run_id]).left == ()
    assert files(store.settings) == before


def test_what_others_need_stays(store: RunStore) -> None:
    first, second, third = finished(store, name="first"), finished(store, name="second"), finished(store)
    extending = store.create(SMALL.with_values({"name": "longer"}), {schema.EXTENDS: first})
    store.set_status(extending, schema.FINISHED)
    warm = finished(store, **{"name": "warm", "model.weights": f"run:{second[:12]}"})
    before = files(store.settings)
    for chosen, reason in (
        ([third, first], "'first' is needed: 'longer' extends it."),
        ([second], "'second' is needed: 'warm' starts from its weights."),
    ):
        with pytest.raises(ConfigError) as caught:
            delete(store, chosen)
        assert str(caught.value) == reason
    assert files(store.settings) == before  # not the first of the two either
    assert len(delete(store, [first, extending, second, warm]).run_ids) == 4  # together nothing is missing


def test_an_active_a_locked_and_a_registered_run_stay(store: RunStore) -> None:
    waits, locked, registered = store.create(SMALL), finished(store), finished(store)
    lock(store, [locked])
    store.client.create_registered_model("shown")
    model_id = store.run(registered).outputs.model_outputs[0].model_id
    store.client.create_model_version("shown", f"models:/{model_id}", run_id=registered)
    for run_id, words in ((waits, "is SCHEDULED"), (locked, "is locked"), (registered, "shown (version 1)")):
        with pytest.raises(ConfigError, match=words.replace("(", r"\(").replace(")", r"\)")):
            delete(store, [run_id])
    unlock(store, [locked])
    assert delete(store, [locked]).run_ids == (locked,)


def test_a_viewer_deletes_and_locks_nothing(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = finished(store)
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    viewer = RunStore(settings_module.get_settings())
    for action in (delete, lock, unlock):
        with pytest.raises(NotAllowed):
            action(viewer, [run_id])
    with pytest.raises(NotAllowed):
        delete_dataset(viewer, "pets")
    assert frames.run_ids(store) == [run_id]


def test_a_dataset_is_deleted_once_no_run_needs_it(store: RunStore, tmp_path: Path) -> None:
    imported(tmp_path)
    waits = store.create(SMALL.with_values({"data.name": "pets", "name": "waiting"}))
    with pytest.raises(ConfigError, match="'waiting' is queued or trains on it"):
        delete_dataset(store, "pets")
    assert "pets" in datasets.names()
    store.set_status(waits, schema.FINISHED)
    assert delete_dataset(store, "pets")["run_id"].tolist() == [waits]
    assert "pets" not in datasets.names()
    assert len(list((tmp_path / "pets").rglob("*.png"))) == 8
    with pytest.raises(ConfigError, match="no imported dataset 'pets'"):
        delete_dataset(store, "pets")


def test_the_commands_delete_and_lock(store: RunStore, tmp_path: Path) -> None:
    imported(tmp_path)
    run_id = finished(store)
    assert run("lock", run_id[:8]).returncode == 0
    answer = run("delete", run_id[:8], "--yes")
    assert answer.returncode == 2
    assert "is locked" in answer.stderr
    assert run("unlock", run_id[:8]).returncode == 0
    answer = run("delete", run_id[:8], "--yes")
    assert (answer.returncode, answer.stdout) == (0, "1 run was deleted.\n")
    assert frames.run_ids(store) == []
    answer = run("delete-dataset", "pets", "--yes")
    assert (answer.returncode, answer.stdout) == (0, "The dataset 'pets' was deleted.\n")


def test_the_pages_delete_and_lock(store: RunStore, tmp_path: Path) -> None:
    imported(tmp_path)
    run_id = finished(store, **{"data.name": "pets"})

    def click(page: str, label: str, **query: str) -> AppTest:
        app = opened(page, **query)
        (button,) = [button for button in app.button if button.label == label]
        button.click().run()
        assert not app.exception
        return app

    click("pages/4_Run.py", "Lock", run=run_id)
    app = opened("pages/4_Run.py", run=run_id)
    assert not {"Lock", "Delete this run"} & {button.label for button in app.button}
    click("pages/4_Run.py", "Unlock", run=run_id)
    texts = [element.value for element in opened("pages/1_Data.py", dataset="pets").markdown]
    assert [text for text in texts if text.startswith("1 run used it: lenet5 on pets.")]
    click("pages/1_Data.py", "Delete it", dataset="pets")
    assert "pets" not in datasets.names()
    click("pages/4_Run.py", "Delete this run", run=run_id)
    assert frames.run_ids(store) == []


def test_only_the_selected_rows_that_are_shown_are_deleted(store: RunStore) -> None:
    seen, locked, hidden = finished(store, name="seen"), finished(store, name="seen too"), finished(store)
    lock(store, [locked])

    def deleted(words: str) -> AppTest:
        app = opened("pages/3_Compare.py", runs=[seen, locked, hidden], filter=words)
        (question,) = [text.value for text in app.markdown if text.value.startswith("Delete for good: ")]
        assert "seen" in question
        assert "lenet5 on" not in question
        (button,) = [button for button in app.button if button.label == "Delete them"]
        button.click().run()
        assert not app.exception
        return app

    app = deleted("seen")
    assert "'seen too' is locked" in app.error[0].value.replace("\\", "")
    assert set(in_address(app, "runs")) == {seen, locked, hidden}  # a refusal changes nothing
    unlock(store, [locked])
    assert in_address(deleted("seen"), "runs") == [hidden]
    assert frames.run_ids(store) == [hidden]
