"""The form filled like a recipe, a run or the last launch, and with what suits the images."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core import recipes
from core.config import ExperimentConfig
from core.jobs.groups import places, repeated
from core.system.settings import Settings
from core.tracking import frames
from core.tracking.store import RunStore, get_store
from tests.support.pages import launch_button, opened

pytestmark = pytest.mark.slow

PAGE = "pages/2_Train.py"
SET = {
    "data.folds": 5,
    "data.fold": 2,
    "data.imbalance": "class_weights",
    "model.name": "resnet_cifar",
    "model.options.depth": 20,
    "augmentation.pad_and_crop": 20,  # the padding of 224 pixels is 28
    "augmentation.horizontal_flip": True,
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.8,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 1.0,
    "regularization.dropout": 0.25,
    "training.epochs": 7,
    "training.steps": 40,
}


def start(app: AppTest, label: str) -> str:
    """Choose what the form is filled like; returns what it says."""
    box = app.selectbox(key="start from")
    box.set_value(next(one for one in box.options if label in one)).run()
    assert not app.exception
    return next(one.value for one in app.caption if one.value.startswith("Filled")).replace("\\", "")


def launched(app: AppTest) -> dict:
    """Launch the form; returns the settings of the new run."""
    before = set(frames.run_ids(get_store()))
    launch_button(app).click().run()
    (run_id,) = set(frames.run_ids(get_store())) - before
    return get_store().config(run_id).flat()


def test_the_last_launch_comes_back_whatever_was_chosen_before(store: RunStore) -> None:
    config = ExperimentConfig().with_values(SET)
    store.create(config)
    app = opened(PAGE, early_stopping="3", clip_norm="1", optimizer="adamw")
    said = start(app, "the last launch")
    assert said.startswith("Filled like the last launch: resnet_cifar, ")
    found = launched(app)
    expected = config.flat()
    assert {name: found[name] for name in expected} == expected


def test_the_last_launch_comes_back_with_its_repeats_and_a_run_without(store: RunStore) -> None:
    group = repeated(ExperimentConfig().with_values({"seed": 2}), seeds=2, folds=2)
    for config, tags in zip(group.configs, places(store, group), strict=True):
        store.create(config, tags)
    app = opened(PAGE, seeds="5")
    assert "lenet5, over 2 seeds, over 2 folds, " in start(app, "the last launch")
    shown = [app.number_input(key=key).value for key in ("seeds", "all_folds", "seed", "folds")]
    assert shown == [2, 2, 2, None]
    assert app.text_input(key="name").value == ""
    start(app, "fold 2 of 2 · seed 3")
    shown = [app.number_input(key=key).value for key in ("seeds", "all_folds", "seed", "folds")]
    assert shown == [1, None, 3, 2]


def test_a_recipe_fills_the_form_and_names_what_it_set(settings: Settings) -> None:
    quickstart = recipes.get("quickstart")
    app = opened(PAGE)
    said = start(app, f"{quickstart.title}: resnet_cifar")
    assert "schedule" in said
    found = launched(app)
    expected = quickstart.configs[2].flat()
    assert {name: found[name] for name in expected} == expected


def test_what_suits_the_images_is_taken_with_a_click_and_then_no_longer_said(settings: Settings) -> None:
    app = opened(PAGE)
    app.button(key="use suggestions").click().run()
    assert app.number_input(key="epochs").value == 20
    assert app.selectbox(key="schedule").value == "cosine"
    assert not [one for one in app.button if one.key == "use suggestions"]
