"""Recipes of a user: their variants for CPUs, their size, and what the Train form offers of them."""

from __future__ import annotations

import pytest
import yaml

from core import recipes
from core.config import ExperimentConfig
from core.jobs.groups import LIMIT
from core.launching.launch import by_weights
from core.recipes import RecipeError, saved
from core.recipes.recipe import of_text
from core.recipes.recipe_file import MAX_TRAININGS
from core.registry import UnknownName
from core.system.settings import Settings
from core.ui.train.start_from import experiments_of

SMALL = {"title": "Mine", "description": "x", "runs": [{"model.name": "lenet5"}]}
CPU = {"settings": {"training.epochs": 1}, "differs": "1 epoch."}


def test_a_section_for_cpus_makes_a_second_recipe(empty_home: Settings) -> None:
    saved.save("mine", yaml.safe_dump(SMALL | {"cpu": CPU}))
    assert {"mine", "mine-cpu"} <= {*recipes.names()}
    variant = recipes.get("mine-cpu")
    assert (variant.configs[0].training.epochs, variant.variant_of, variant.own) == (1, "mine", True)
    assert recipes.text("mine-cpu") == recipes.text("mine")
    saved.save("mine", yaml.safe_dump(SMALL), replace=True)
    assert "mine-cpu" not in recipes.names()  # the file was read anew
    for name in ("mine-cpu", "other-cpu", "../x"):
        with pytest.raises(UnknownName):
            recipes.get(name)
    wrong = {"settings": {"no.such": 1}, "differs": "x"}
    with pytest.raises(RecipeError, match="cpu: "):
        saved.save("other", yaml.safe_dump(SMALL | {"cpu": wrong}))
    assert "other" not in recipes.names()


def test_a_recipe_is_no_larger_than_a_launch() -> None:
    assert MAX_TRAININGS == LIMIT
    many = [{"title": str(place), "seeds": 100, "folds": 10} for place in range(2)]
    with pytest.raises(RecipeError, match="at most 1,000 trainings"):
        of_text("big", yaml.safe_dump(SMALL | {"runs": many}))


def test_weights_are_asked_for_once_for_each_model() -> None:
    imagenet = ExperimentConfig().with_values({"model.name": "vgg16", "model.weights": "imagenet"})
    other = imagenet.with_values({"model.name": "resnet50"})
    assert by_weights([imagenet, other, imagenet.with_values({"seed": 1})])[1:] == [other]


def test_the_form_says_that_images_are_to_be_supplied_and_waits_for_weights() -> None:
    runs = [{"title": "a"}, {"title": "b", "weights_of": "a"}]
    data = {"words": "Yours.", "supplied": True}
    found = experiments_of(of_text("x", yaml.safe_dump(SMALL | {"runs": runs, "data": data})))
    (called,) = found
    assert "images of yours" in called
