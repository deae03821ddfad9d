"""Splits are seeded, stratified, keep groups whole, and never touch the test set."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest

from core import datasets
from core.datasets.records import DatasetInfo, ImageDataset
from core.datasets.shuffle import shuffled
from core.datasets.splits import Split, hold_out, split


def dataset(
    labels: list[int],
    subsets: list[int] | None = None,
    groups: list[str] | None = None,
    copies: list[int] | None = None,
) -> ImageDataset:
    """A dataset of which only what a split looks at is real. copies: equal numbers are identical images."""
    n = len(labels)
    return ImageDataset(
        info=DatasetInfo("made", "made", (1, 1, 1), ("a", "b", "c"), {}),
        images=np.zeros((n, 1, 1, 1), np.uint8),
        labels=np.array(labels, np.int64),
        subsets=np.array(subsets if subsets is not None else [0] * n, np.int8),
        source_names=np.array([str(i) for i in range(n)], object),
        groups=None if groups is None else np.array(groups, object),
        sizes=np.ones((n, 2), np.int32),
        digests=np.array(
            [i.to_bytes(16, "little") for i in (copies if copies is not None else range(n))], object
        ),
    )


def rows(divided: Split) -> list[int]:
    return sorted([*divided.train.tolist(), *divided.validation.tolist(), *divided.test.tolist()])


def test_the_parts_have_no_row_in_common_and_miss_none():
    made = dataset([0, 1, 2] * 20, [0, 0, 2] * 20)
    assert rows(split(made)) == list(range(60))


def test_every_class_gives_its_share():
    made = dataset([0] * 100 + [1] * 50 + [2] * 10)
    labels = made.labels[split(made, validation_fraction=0.2).validation]
    assert np.bincount(labels).tolist() == [20, 10, 2]


def test_a_small_class_is_on_both_sides_and_a_lone_image_trains():
    made = dataset([0] * 100 + [1] * 2 + [2])
    divided = split(made, validation_fraction=0.1)
    assert np.bincount(made.labels[divided.validation], minlength=3).tolist() == [10, 1, 0]
    assert np.bincount(made.labels[divided.train]).tolist() == [90, 1, 1]


def test_the_same_seed_gives_the_same_split_on_every_machine():
    # Recorded once: it may never change, or a run could not be repeated elsewhere.
    made = dataset([0, 1] * 500)
    chosen = split(made, seed=7).validation.astype("<i8").tobytes()
    assert hashlib.sha256(chosen).hexdigest()[:32] == "7b638c99eaab29785a5ff57d32ce82ab"
    assert shuffled(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]


def test_another_seed_gives_another_validation_set_and_the_same_test_set():
    made = dataset([0, 1] * 50, [0, 0, 0, 2] * 25)
    one, other = split(made, seed=1), split(made, seed=2)
    assert one.validation.tolist() != other.validation.tolist()
    assert one.test.tolist() == other.test.tolist() == np.flatnonzero(made.subsets == 2).tolist()


def test_a_given_validation_set_is_used_as_it_is():
    made = dataset([0, 1] * 10, [0, 0, 1, 1] * 5)
    for fraction in (0.0, 0.1, 0.5):
        divided = split(made, validation_fraction=fraction)
        assert divided.validation.tolist() == np.flatnonzero(made.subsets == 1).tolist()


def test_no_validation_is_possible():
    assert len(split(dataset([0, 1] * 5), validation_fraction=0).validation) == 0


def test_what_was_left_out_is_in_no_set():
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


def test_folds_take_in_a_given_validation_set():
    made = dataset([0, 1] * 10, [0, 0, 1, 1] * 5)
    folds = [split(made, folds=2, fold=k).validation for k in range(2)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(20))


@pytest.mark.parametrize("options", [{"validation_fraction": 0.25}, {"folds": 4, "fold": 1}])
def test_a_group_is_never_divided(options):
    generator = np.random.default_rng(0)
    groups = [f"patient {i}" for i in generator.integers(0, 40, 400)]
    made = dataset((np.arange(400) % 3).tolist(), groups=groups)
    divided = split(made, **options)
    assert not set(made.groups[divided.train]) & set(made.groups[divided.validation])
    # 40 groups of about 10: the share is met to about half a group
    assert abs(len(divided.validation) - 100) <= 10
    assert np.bincount(made.labels[divided.validation]).min() >= 25


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
    divided = split(datasets.load("digits"))
    assert [len(rows) for rows in (divided.train, divided.validation, divided.test)] == [1293, 145, 359]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_few_groups_leave_no_set_empty(count):
    groups = np.repeat(np.arange(count), 10)
    held = hold_out(np.zeros(len(groups), int), groups, 0.1, seed=0)
    assert 0 < held.sum() < len(groups)
    assert len(np.unique(groups[held])) + len(np.unique(groups[~held])) == count


def shared(made: ImageDataset, one: np.ndarray, other: np.ndarray) -> int:
    """Images of `one` that are identical to an image of `other`."""
    return len(set(made.digests[one]) & set(made.digests[other]))


@pytest.mark.parametrize("options", [{"validation_fraction": 0.2}, {"folds": 5, "fold": 2}])
def test_copies_of_an_image_are_never_divided(options):
    # Every image twice, 100 of each class: a fifth of each class are 20 images, 10 with their copies.
    made = dataset([0, 1, 2] * 100, copies=[i % 150 for i in range(300)])
    legacy = split(made, **options, rule="legacy")
    assert shared(made, legacy.train, legacy.validation) > 30  # what it is about
    divided = split(made, **options)
    assert shared(made, divided.train, divided.validation) == 0
    assert rows(divided) == list(range(300))
    assert np.bincount(made.labels[divided.validation]).tolist() == [20, 20, 20]


def test_only_divided_copies_leave_the_place_that_the_seed_gave_them():
    copies = list(range(1000))
    copies[990:] = range(10)  # ten images have a copy
    made = dataset([0, 1] * 500, copies=copies)
    moved = np.setxor1d(split(made).validation, split(made, rule="legacy").validation)
    assert set(moved.tolist()) <= {*range(10), *range(990, 1000)}
    assert len(moved)
    alone = dataset([0, 1] * 500)
    for options in ({}, {"folds": 3, "fold": 1}):
        assert vars_of(split(alone, **options)) == vars_of(split(alone, **options, rule="legacy"))


def vars_of(divided: Split) -> list[list[int]]:
    return [rows.tolist() for rows in vars(divided).values()]


def test_a_class_of_copies_alone_is_trained_on():
    made = dataset([0] * 20 + [1] * 4, copies=[*range(20), *[99] * 4])
    for fraction in (0.1, 0.5, 0.9):
        divided = split(made, validation_fraction=fraction)
        assert (made.labels[divided.train] == 1).sum() == 4


def test_a_class_of_two_images_with_copies_is_on_both_sides():
    made = dataset([0] * 40 + [1] * 8, copies=[*range(40), *[98] * 4, *[99] * 4])
    counts = np.bincount(made.labels[split(made, validation_fraction=0.1).validation], minlength=2)
    assert counts.tolist() == [4, 4]


def test_groups_that_share_an_image_are_one():
    groups = [f"g{i // 4}" for i in range(80)]
    made = dataset([0, 1] * 40, groups=groups, copies=[*range(79), 0])  # the last image is the first
    for options in ({"validation_fraction": 0.2}, {"folds": 4, "fold": 3}):
        divided = split(made, **options)
        assert shared(made, divided.train, divided.validation) == 0
        assert not set(made.groups[divided.train]) & set(made.groups[divided.validation])


@pytest.mark.parametrize("seed", range(6))
def test_groups_are_held_out_as_evenly_as_they_can_be(seed):
    """Against all choices of some of ten groups; what older versions chose is measured beside it."""
    content = np.random.default_rng(seed).integers(0, 9, (10, 4))
    labels = np.concatenate([np.repeat(np.arange(4), counts) for counts in content])
    groups = np.repeat([f"g{i}" for i in range(10)], content.sum(axis=1))
    wanted = 0.2 * content.sum(axis=0)

    def distance(held: np.ndarray) -> float:
        return float(((np.bincount(labels[held], minlength=4) - wanted) ** 2).sum())

    choices = itertools.product([False, True], repeat=10)
    best = min(distance(np.repeat(one, content.sum(axis=1))) for one in choices if 0 < sum(one) < 10)
    assert distance(hold_out(labels, groups, 0.2, 0)) == pytest.approx(best)
    assert distance(hold_out(labels, groups, 0.2, 0, legacy=True)) >= best
