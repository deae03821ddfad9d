"""A run's settings in the address of the Train form come back as they were."""

from __future__ import annotations

import pytest

from core.config import ExperimentConfig
from core.jobs.groups import repeated
from core.system.settings import Settings
from core.tracking.store import get_store
from core.ui.train.form_url import filled, query
from tests.support.pages import launch_button, opened

pytestmark = pytest.mark.slow

CHANGED = {
    "data.folds": 5,
    "data.fold": 2,
    "data.preprocessing": "standardize",
    "data.imbalance": "class_weights",
    "model.name": "resnet_cifar",
    "model.options.depth": 20,
    "model.freeze": "first_n",
    "model.freeze_layers": 2,
    "augmentation.pad_and_crop": 2,
    "augmentation.horizontal_flip": True,
    "augmentation.mixup": 0.2,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.05,
    "optimizer.nesterov": True,
    "schedule.name": "cosine",
    "schedule.warmup_epochs": 1.0,
    "regularization.dropout": 0.25,
    "training.epochs": 7,
    "training.batch_size": 32,
    "training.label_smoothing": 0.1,
    "training.deterministic": True,
    "training.device": "cpu",
    "seed": 3,
    "name": "a name",
}


RMSPROP = {"optimizer.name": "rmsprop", "optimizer.momentum": 0.9}  # what SGD has by default, but asked for


@pytest.mark.parametrize("changes", [{}, CHANGED, {"data.preprocessing": "scale"}, RMSPROP])
def test_the_form_launches_what_the_run_was(settings: Settings, changes: dict) -> None:
    config = ExperimentConfig().with_values(changes)
    app = opened("pages/2_Train.py", **query(config))
    assert not app.exception
    assert not app.error
    launch_button(app).click().run()
    (run,) = get_store().active()
    launched = get_store().config(run.run_id).flat()
    options = {name for name in launched if name.startswith("model.options.")}  # the form writes all of them
    assert {name: value for name, value in launched.items() if name not in options} == {
        name: value for name, value in config.flat().items() if name not in options
    }
    for name in options & set(config.flat()):
        assert launched[name] == config.flat()[name]


@pytest.mark.parametrize(("name", "kept"), [("", ""), ("mine", "mine")])
def test_what_a_launch_added_to_the_name_of_a_repeat_is_left_out(name: str, kept: str) -> None:
    """Else the form would name the repeats of a repeat, and other models like this one."""
    for config in repeated(ExperimentConfig().with_values({"name": name}), seeds=2, folds=2).configs:
        assert config.name
        assert filled(config)["name"] == kept
        assert query(config).get("name", "") == kept


def test_no_two_settings_stand_under_one_word() -> None:
    other = {path: object() for path in ExperimentConfig().flat()}
    words = [path.rpartition(".")[2] for path in other if not path.startswith("model.weights")]
    assert len(set(words) - {"name"}) == len([word for word in words if word != "name"])


def test_weights_to_start_from_are_chosen_again() -> None:
    for weights, expected in {
        "imagenet": {"weights": "imagenet"},
        "run:0123": {"weights": "run", "weights_run": "0123"},
        "mine.keras": {"weights": "file", "weights_file": "mine.keras"},
    }.items():
        found = query(ExperimentConfig().with_values({"model.name": "vgg16", "model.weights": weights}))
        assert {name: value for name, value in found.items() if name.startswith("weights")} == expected
