"""Settings that would suit a dataset, where a person has set none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import datasets
from core.config import ExperimentConfig
from core.datasets import DatasetInfo
from core.launching.suggestions import suggestions
from core.system.settings import Settings


@pytest.fixture
def digits(settings: Settings) -> DatasetInfo:
    return datasets.info("digits")


def values(info: DatasetInfo, **changes: object) -> dict[str, object]:
    config = ExperimentConfig().with_values({name.replace("__", "."): one for name, one in changes.items()})
    return {one.name: one.value for one in suggestions(config, info)}


def test_few_steps_an_epoch_ask_for_more_epochs(digits: DatasetInfo) -> None:
    # 1,438 images without a tenth: 1,293 or 1,294, 21 steps of 64; 20 epochs have 420
    assert values(digits) == {"training.epochs": 20, "schedule.name": "cosine"}
    assert values(digits, training__batch_size=8) == {}  # 162 steps an epoch, 810 in five


def test_what_a_person_has_set_is_left_alone(digits: DatasetInfo) -> None:
    assert values(digits, training__epochs=12) == {"schedule.name": "cosine"}
    assert values(digits, training__epochs=12, schedule__name="step") == {}
    assert values(digits, training__steps=50) == {}


@pytest.mark.parametrize(
    ("shape", "padding"), [((32, 32, 3), 4), ((96, 64, 3), 8), ((224, 224, 3), 16), ((32, 32, 1), None)]
)
def test_photos_are_mirrored_and_shifted(
    digits: DatasetInfo, shape: tuple[int, int, int], padding: int | None
) -> None:
    found = values(replace(digits, shape=shape))
    assert found.get("augmentation.pad_and_crop") == padding
    assert found.get("augmentation.horizontal_flip") == (None if padding is None else True)
    kept = values(replace(digits, shape=shape), augmentation__pad_and_crop=2)
    assert "augmentation.pad_and_crop" not in kept


@pytest.mark.parametrize(
    ("set_before", "left"),
    [
        (
            {},
            {"training.epochs", "schedule.name", "augmentation.horizontal_flip", "augmentation.pad_and_crop"},
        ),
        (
            {"model.weights": "imagenet", "model.freeze": "all", "model.bottleneck": True},
            {"training.epochs", "schedule.name"},
        ),
        (
            {"schedule.plateau_patience": 2},
            {"training.epochs", "augmentation.horizontal_flip", "augmentation.pad_and_crop"},
        ),
        (
            {"augmentation.random_crop": 28},
            {"training.epochs", "schedule.name", "augmentation.horizontal_flip"},
        ),
    ],
)
def test_what_the_rest_refuses_or_does_already_is_not_offered(
    digits: DatasetInfo, set_before: dict[str, object], left: set[str]
) -> None:
    info = replace(digits, shape=(32, 32, 3))
    config = ExperimentConfig().with_values(set_before)
    found = suggestions(config, info)
    assert {one.name for one in found} == left
    config.with_values({one.name: one.value for one in found})  # the form takes what it offers
