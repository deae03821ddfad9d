"""Models are registered, promoted and unregistered by name and version, but not on a read-only server."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.config import ConfigError, ExperimentConfig
from core.system.settings import NotAllowed
from core.tracking import registry, schema
from core.tracking.client_reader import ClientReader
from core.tracking.registered import CHALLENGER, CHAMPION, Version
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore
from tests.support.commands import run

pytestmark = pytest.mark.slow


@pytest.fixture
def finished(store: RunStore) -> list[str]:
    """Three finished runs that have logged a model."""
    runs = []
    for name in ("first", "second", "third"):
        run_id = store.create(ExperimentConfig().with_values({"name": name}))
        store.client.create_logged_model(store.experiment_id, source_run_id=run_id)
        store.log_metrics(run_id, {"test_accuracy": 0.9})
        store.set_status(run_id, schema.FINISHED)
        runs.append(run_id)
    return runs


def test_a_version_is_registered_promoted_and_unregistered(store: RunStore, finished: list[str]) -> None:
    one, two = (registry.register(store, run_id, "digits") for run_id in finished[:2])
    assert [one.number, two.number] == [1, 2]
    registry.set_alias(store, one, CHAMPION)
    registry.set_alias(store, two, CHALLENGER)
    with pytest.raises(ConfigError, match="The champion is digits version 1 now: look at the comparison"):
        registry.set_alias(store, two, CHAMPION)
    registry.set_alias(store, two, CHAMPION, over=1)
    model = registry.find(store, "digits")
    assert model is not None
    assert model.holder(CHAMPION) == replace(two, created=model.versions[0].created, aliases=(CHAMPION,))
    assert ClientReader(store).registered() == store.read.registered()

    registry.describe(store, one, "the first")
    registry.write_card(store, one, "# By hand")
    changed = registry.find(store, "digits")
    assert changed is not None
    assert (changed.versions[1].description, changed.versions[1].tags) == (
        "the first",
        {"archlab.card": "# By hand"},
    )
    registry.write_card(store, one, None)
    registry.write_card(store, one, None)
    registry.unregister(store, model.versions[0])
    left = registry.find(store, "digits")
    assert left is not None
    assert [(version.number, version.aliases, dict(version.tags)) for version in left.versions] == [
        (1, (), {})
    ]
    with pytest.raises(ConfigError, match="digits version 2 was unregistered meanwhile"):
        registry.unregister(store, two)
    registry.unregister(store, one)
    assert registry.find(store, "digits") is None
    assert store.state(finished[0]).status == schema.FINISHED


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a@b", "-a", "x" * 101, "<b>"])
def test_a_name_that_cannot_be_one_registers_nothing(store: RunStore, finished: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match="The name of a model has 1 to 100 letters"):
        registry.register(store, finished[0], name)
    assert store.read.registered() == []


def test_what_cannot_be_registered_is_said(store: RunStore, finished: list[str]) -> None:
    waiting = store.create(ExperimentConfig().with_values({"name": "waits"}))
    with pytest.raises(ConfigError, match="'waits' has no saved model to register"):
        registry.register(store, waiting, "digits")
    registry.register(store, finished[0], "digits")
    with pytest.raises(ConfigError, match="'first' is digits version 1 already"):
        registry.register(store, finished[0], "digits")


def test_the_name_of_a_prompt_is_none_for_a_model(store: RunStore, finished: list[str]) -> None:
    store.client.register_prompt("digits", "Say {{what}}")
    assert store.read.registered() == []
    with pytest.raises(ConfigError, match="The name 'digits' was taken meanwhile, or by a prompt"):
        registry.register(store, finished[0], "digits")
    assert store.client.load_prompt("digits", version=1).template == "Say {{what}}"


def test_a_name_under_which_another_version_came_meanwhile_stays(
    store: RunStore, finished: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(store, finished[0], "digits")
    delete = store.client.delete_model_version

    def delete_beside_another(name: str, number: str) -> None:
        registry.register(store, finished[1], "digits")
        delete(name, number)

    monkeypatch.setattr(store.client, "delete_model_version", delete_beside_another)
    registry.unregister(store, version)
    assert registry.run_of(store, "digits") == finished[1]


def test_texts_name_versions(store: RunStore, finished: list[str]) -> None:
    for run_id in finished:
        registry.register(store, run_id, "my digits")
    assert registry.run_of(store, "my digits") == finished[2]  # the newest, while there is no champion
    registry.set_alias(store, Version("my digits", 1), CHAMPION)
    assert registry.run_of(store, "my digits") == registry.run_of(store, "my digits@champion") == finished[0]
    assert registry.run_of(store, "my digits/2") == finished[1]
    assert registry.run_of(store, finished[1]) == finished[1]
    for text in ("my digits@nobody", "my digits/9", "my digits/x"):
        with pytest.raises(
            ConfigError, match=r"The model 'my digits' has no .* It has: @champion, /3, /2, /1"
        ):
            registry.run_of(store, text)
    with pytest.raises(UnknownRun, match="No model is registered as 'other'"):
        registry.run_of(store, "other@champion")


def test_a_read_only_server_changes_nothing(store: RunStore, finished: list[str]) -> None:
    version = registry.register(store, finished[0], "digits")
    store.settings = replace(store.settings, role="viewer")
    try:
        for action in (
            lambda: registry.register(store, finished[1], "digits"),
            lambda: registry.set_alias(store, version, CHAMPION),
            lambda: registry.remove_alias(store, version, CHAMPION),
            lambda: registry.describe(store, version, "x"),
            lambda: registry.write_card(store, version, "x"),
            lambda: registry.unregister(store, version),
        ):
            with pytest.raises(NotAllowed, match="read-only"):
                action()
    finally:
        store.settings = replace(store.settings, role="trainer")
    (model,) = store.read.registered()
    assert [(one.number, one.aliases, one.description) for one in model.versions] == [(1, (), "")]


def test_the_command_lists_versions(store: RunStore, finished: list[str]) -> None:
    assert run("list", "models").stdout == "Nothing yet.\n"
    registry.set_alias(store, registry.register(store, finished[0], "digits", "the best so far"), CHAMPION)
    (row,) = json.loads(run("list", "models", "--json").stdout)
    assert row == {
        "name": "digits",
        "version": 1,
        "aliases": ["champion"],
        "run_id": finished[0],
        "run": "first",
        "test_accuracy": 0.9,
        "description": "the best so far",
    }
    assert "champion" in run("list", "models").stdout
    refused = run("predict", "digits@nobody", "image.png")
    assert refused.returncode == 2
