"""A recipe becomes runs of the queue: on the user's images, from the weights of its other runs."""

from __future__ import annotations

import pytest

from core import recipes
from core.launching.launch import launch_groups
from core.launching.recipes import plan
from core.recipes import RecipeError
from core.recipes.recipe import of_text
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.commands import run
from tests.support.made_up import made_up

WARM = """
title: Warm
description: A deeper model from a shallow one.
base: {training.epochs: 1, data.name: digits}
runs:
  - {title: shallow, settings: {model.name: lenet5}}
  - {title: deep, settings: {model.name: lenet5}, seeds: 2, weights_of: shallow}
"""


def test_a_run_waits_for_the_weights_it_starts_from(store: RunStore) -> None:
    recipe = of_text("warm", WARM)
    first = plan(recipe, store)
    assert first.size == 1
    assert first.left_out == (
        "'deep' starts from the weights of 'shallow': launch the recipe again when that has finished.",
    )
    shallow = store.create(first.groups[0].configs[0], {**first.tags, **first.groups[0].tags})
    assert plan(recipe, store).left_out  # it has not finished
    store.set_status(shallow, schema.FINISHED)
    second = plan(recipe, store)
    assert not second.left_out
    assert {config.model.weights for config in second.groups[1].configs} == {f"run:{shallow}"}
    assert len(second.groups[1].configs) == 2
    assert plan(recipe, store, {"data.name": "mnist"}).left_out  # other images


def test_images_of_a_user_are_named_and_must_match(store: RunStore) -> None:
    recipe = recipes.get("depth-study")
    with pytest.raises(
        RecipeError, match=r"name the dataset by data.name. None here matches: import one first"
    ):
        plan(recipe, store)
    made_up("small", (32, 32, 3), 2)
    made_up("mine", (96, 96, 3), 2, each=20)
    with pytest.raises(RecipeError, match=r"Here these match: mine\."):
        plan(recipe, store)
    with pytest.raises(
        RecipeError, match=r"2 classes of colour images of 96×96. Received: 'small' with 2 cl"
    ):
        plan(recipe, store, {"data.name": "small"})
    planned = plan(recipe, store, {"data.name": "mine", "training.epochs": 1})
    assert [group.configs[0].data.name for group in planned.groups] == ["mine"] * 5
    assert {group.configs[0].training.epochs for group in planned.groups} == {1}


def test_a_launched_recipe_can_be_told_by_its_tags(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_SLOTS", "1")
    planned = plan(recipes.get("quickstart"), store)
    for group in planned.groups:  # held, so that the worker which a launch starts trains nothing
        ids = launch_groups([group], {**planned.tags, schema.HELD: "true"})
        tags = store.state(ids[0]).tags
        assert (tags[schema.RECIPE], tags[schema.RECIPE_RUN]) == ("quickstart", group.tags[schema.RECIPE_RUN])
        store.request_cancel(ids[0])


def test_the_command_refuses_a_recipe_without_its_images(store: RunStore) -> None:
    answer = run("train", "--recipe", "depth-study")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "asks images of yours (2 classes of colour images of 96×96)" in answer.stderr
    assert store.active() == []
