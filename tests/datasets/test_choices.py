"""What a config makes of a dataset, in counts; whatever is chosen, the test set is never trained on."""

from __future__ import annotations

import numpy as np
import pytest

from core import datasets
from core.config import ConfigError, DataConfig, ExperimentConfig
from core.datasets import choices
from core.importing.importer import import_images
from core.importing.request import ImportRefused, parse_columns
from core.launching.checks import check

CHOICES = [
    {},
    {"folds": 4, "fold": 3},
    {"imbalance": "balanced"},
    {"imbalance": "at_most", "at_most": 3},
    {"imbalance": "class_weights"},
    {"imbalance": "balanced", "folds": 2, "fold": 1, "grey": True},
]


@pytest.fixture
def uneven(photos):
    """Twenty cats and five dogs in colour, of which a fifth is for testing: 16 and 4 remain."""
    photos.add(*(f"cat/{i}.png" for i in range(20)))
    photos.add(*(f"dog/{i}.png" for i in range(5)))
    import_images("uneven", photos.root, test_fraction=0.2)
    return datasets.load("uneven")


def counts(dataset: datasets.ImageDataset, rows: np.ndarray) -> list[int]:
    return np.bincount(dataset.labels[rows], minlength=2).tolist()


@pytest.mark.parametrize("values", CHOICES)
def test_the_test_set_is_never_trained_on_nor_changed(uneven, values):
    parts = choices.split_for(uneven, DataConfig(name="uneven", **values))
    np.testing.assert_array_equal(parts.test, uneven.indices("test"))
    assert counts(uneven, parts.test) == [4, 1]
    for one, other in (
        (parts.train, parts.test),
        (parts.train, parts.validation),
        (parts.validation, parts.test),
    ):
        assert not np.intersect1d(one, other).size


def test_folds_validate_every_image_once(uneven):
    validated = [
        choices.split_for(uneven, DataConfig(name="uneven", folds=4, fold=fold)).validation
        for fold in range(4)
    ]
    together = np.concatenate(validated)
    assert len(together) == len(np.unique(together)) == 20
    assert sorted(together.tolist()) == uneven.indices("train").tolist()


def test_imbalance_in_counts(uneven):
    def train(**values) -> list[int]:
        data = DataConfig(name="uneven", validation_fraction=0, **values)
        return counts(uneven, choices.split_for(uneven, data).train)

    assert train() == [16, 4]
    assert train(imbalance="balanced") == [16, 16]
    assert train(imbalance="at_most", at_most=3) == [3, 3]
    assert train(imbalance="at_most", at_most=10) == [10, 4]
    assert train(imbalance="class_weights") == [16, 4]


def test_weights_make_classes_count_alike(uneven):
    data = DataConfig(name="uneven", validation_fraction=0, imbalance="class_weights")
    rows = choices.split_for(uneven, data).train
    weights = choices.weights(uneven, rows, data)
    assert weights == {0: 0.625, 1: 2.5}  # 16 times 0.625 and 4 times 2.5 are 10 each
    assert choices.weights(uneven, rows, DataConfig(name="uneven")) is None


@pytest.mark.parametrize("values", CHOICES)
def test_sizes_are_told_without_reading_the_dataset(uneven, values):
    data = DataConfig(name="uneven", **values)
    parts = choices.split_for(uneven, data)
    told = choices.sizes(datasets.info("uneven"), data)
    assert np.abs(np.subtract(told, (len(parts.train), len(parts.validation)))).max() <= 2


def test_shapes_that_models_get():
    config = ExperimentConfig().with_values({"data.grey": True, "augmentation.random_crop": 24})
    assert choices.cropped_shape(config, (32, 32, 3)) == (24, 24, 1)
    assert choices.cropped_shape(ExperimentConfig(), (32, 30, 3)) == (32, 30, 3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"augmentation.random_crop": 9},
            "augmentation.random_crop must be at most the images' shorter side, 8.",
        ),
        ({"augmentation.pad_and_crop": 8}, "augmentation.pad_and_crop must be smaller than the images, 8×8."),
        (
            {"data.grey": True, "data.preprocessing": "torch"},
            "data.preprocessing 'torch' is made for images of 3 channels. Received: 1.",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_launch(uneven, changes, sentence):
    with pytest.raises(ConfigError) as error:
        check(ExperimentConfig().with_values({"data.name": "uneven", **changes}))
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data.folds": 1}, "data.folds must be 0 (none) or at least 2. Received: 1."),
        ({"data.folds": 5, "data.fold": 5}, "data.fold must be in 0 to 4. Received: 5."),
        ({"data.fold": 2}, "data.fold must be 0 where data.folds is 0. Received: 2."),
        ({"data.imbalance": "magic"}, "data.imbalance must be"),
        ({"augmentation.shift": 0.7}, "augmentation.shift must be at most 0.5. Received: 0.7."),
        ({"augmentation.test_time": "ten_crops"}, "augmentation.test_time 'ten_crops' takes crops"),
    ],
)
def test_a_config_refuses_in_words(changes, sentence):
    with pytest.raises(ConfigError) as error:
        ExperimentConfig().with_values(changes)
    assert str(error.value).startswith(sentence)


def test_early_stopping_may_watch_a_fold():
    config = ExperimentConfig().with_values({"data.validation_fraction": 0, "training.early_stopping": 2})
    with pytest.raises(ConfigError, match="no image is left to validate on"):
        check(config)
    check(config.with_values({"data.folds": 3}))


def test_columns_are_written_role_and_name():
    assert parse_columns(["label=kind", " group = patient "]) == {"label": "kind", "group": "patient"}
    assert parse_columns([]) is None
    with pytest.raises(ImportRefused, match="A column must be written role=name, as label=kind"):
        parse_columns(["kind"])
