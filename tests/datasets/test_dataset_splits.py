"""Splits are seeded, stratified, keep groups whole, and never touch the test part."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from core import datasets
from core.datasets.records import DatasetInfo, ImageDataset
from core.datasets.splits import Split, hold_out, shuffled, split


def dataset(
    labels: list[int], parts: list[int] | None = None, groups: list[str] | None = None
) -> ImageDataset:
    """A dataset of which only what a split looks at is real."""
    n = len(labels)
    return ImageDataset(
        info=DatasetInfo("made", "made", (1, 1, 1), ("a", "b", "c"), {}),
        images=np.zeros((n, 1, 1, 1), np.uint8),
        labels=np.array(labels, np.int64),
        parts=np.array(parts if parts is not None else [0] * n, np.int8),
        source_names=np.array([str(i) for i in range(n)], object),
        groups=None if groups is None else np.array(groups, object),
        sizes=np.ones((n, 2), np.int32),
        digests=np.array([b""] * n, object),
    )


def rows(parts: Split) -> list[int]:
    return sorted([*parts.train.tolist(), *parts.validation.tolist(), *parts.test.tolist()])


def test_the_parts_have_no_row_in_common_and_miss_none():
    made = dataset([0, 1, 2] * 20, [0, 0, 2] * 20)
    assert rows(split(made)) == list(range(60))


def test_every_class_gives_its_share():
    made = dataset([0] * 100 + [1] * 50 + [2] * 10)
    labels = made.labels[split(made, validation_fraction=0.2).validation]
    assert np.bincount(labels).tolist() == [20, 10, 2]


def test_a_small_class_is_on_both_sides_and_a_lone_image_trains():
    made = dataset([0] * 100 + [1] * 2 + [2])
    parts = split(made, validation_fraction=0.1)
    assert np.bincount(made.labels[parts.validation], minlength=3).tolist() == [10, 1, 0]
    assert np.bincount(made.labels[parts.train]).tolist() == [90, 1, 1]


def test_the_same_seed_gives_the_same_split_on_every_machine():
    # Recorded once: it may never change, or a run could not be repeated elsewhere.
    made = dataset([0, 1] * 500)
    chosen = split(made, seed=7).validation.astype("<i8").tobytes()
    assert hashlib.sha256(chosen).hexdigest()[:32] == "7b638c99eaab29785a5ff57d32ce82ab"
    assert shuffled(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]


def test_another_seed_gives_another_validation_part_and_the_same_test_part():
    made = dataset([0, 1] * 50, [0, 0, 0, 2] * 25)
    one, other = split(made, seed=1), split(made, seed=2)
    assert one.validation.tolist() != other.validation.tolist()
    assert one.test.tolist() == other.test.tolist() == np.flatnonzero(made.parts == 2).tolist()


def test_a_given_validation_part_is_used_as_it_is():
    made = dataset([0, 1] * 10, [0, 0, 1, 1] * 5)
    for fraction in (0.0, 0.1, 0.5):
        parts = split(made, validation_fraction=fraction)
        assert parts.validation.tolist() == np.flatnonzero(made.parts == 1).tolist()


def test_no_validation_is_possible():
    assert len(split(dataset([0, 1] * 5), validation_fraction=0).validation) == 0


def test_what_was_left_out_is_in_no_part():
    made = dataset([0, 1] * 10, [0, -1] * 10)
    assert rows(split(made)) == list(range(0, 20, 2))


def test_folds_cover_everything_once_and_are_even():
    made = dataset([0] * 31 + [1] * 23 + [2] * 7, [0] * 50 + [2] * 11)
    folds = [split(made, folds=4, fold=k) for k in range(4)]
    assert sorted(np.concatenate([fold.validation for fold in folds]).tolist()) == list(range(50))
    assert {len(fold.validation) for fold in folds} == {12, 13}
    for fold in folds:
        counts = np.bincount(made.labels[fold.validation], minlength=3)
        assert counts[0] in (7, 8)  # 31 / 4
        assert fold.test.tolist() == list(range(50, 61))
        assert rows(fold) == list(range(61))


def test_folds_take_in_a_given_validation_part():
    made = dataset([0, 1] * 10, [0, 0, 1, 1] * 5)
    folds = [split(made, folds=2, fold=k).validation for k in range(2)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(20))


@pytest.mark.parametrize("options", [{"validation_fraction": 0.25}, {"folds": 4, "fold": 1}])
def test_a_group_is_never_divided(options):
    generator = np.random.default_rng(0)
    groups = [f"patient {i}" for i in generator.integers(0, 40, 400)]
    made = dataset((np.arange(400) % 3).tolist(), groups=groups)
    parts = split(made, **options)
    assert not set(made.groups[parts.train]) & set(made.groups[parts.validation])
    # 40 groups of about 10: the share is met to about half a group
    assert abs(len(parts.validation) - 100) <= 10
    assert np.bincount(made.labels[parts.validation]).min() >= 25


def test_groups_of_one_class_each_are_still_stratified():
    made = dataset([0] * 40 + [1] * 40, groups=[f"g{i // 4}" for i in range(80)])
    counts = np.bincount(made.labels[split(made, validation_fraction=0.2).validation])
    assert counts.tolist() == [8, 8]


def test_holding_out_nothing_holds_out_nothing():
    assert not hold_out(np.array([0, 1, 0, 1]), None, 0, seed=0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_fraction": 1.0}, r"`validation_fraction` must be in 0 to 0\.9\. Received: 1\.0"),
        ({"validation_fraction": -0.1}, "`validation_fraction` must be in"),
        ({"folds": 1, "fold": 0}, r"`folds` must be at least 2\. Received: 1"),
        ({"folds": 5, "fold": 5}, r"`fold` must be in 0 to 4\. Received: 5"),
        ({"folds": 5}, "`folds` and `fold` go together"),
    ],
)
def test_a_split_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        split(dataset([0, 1] * 10), **options)


def test_a_dataset_without_training_images_is_refused():
    made = dataset([0, 1], [2, 2])
    made = replace(made, info=replace(made.info, name="only test"))
    with pytest.raises(ValueError, match="'only test' leaves no image to train on"):
        split(made)


def test_the_digits_split_alike_everywhere():
    parts = split(datasets.load("digits"))
    assert [len(rows) for rows in (parts.train, parts.validation, parts.test)] == [1293, 145, 359]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_groups_leave_no_part_empty(count):
    groups = np.repeat(np.arange(count), 10)
    held = hold_out(np.zeros(len(groups), int), groups, 0.1, seed=0)
    assert 0 < held.sum() < len(groups)
    assert len(np.unique(groups[held])) + len(np.unique(groups[~held])) == count
