"""Two runs have the same split fingerprint exactly when the same images train, validate and test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.config import DataConfig
from core.datasets import choices, load
from core.datasets.splits import Split, split
from core.datasets.versions import evaluation_fingerprint, split_fingerprint
from core.system.settings import Settings

SPLIT = Split(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([6]))


def test_every_change_of_the_split_changes_its_fingerprint() -> None:
    others = [
        replace(SPLIT, train=np.array([0, 1, 2])),
        replace(SPLIT, validation=np.array([4])),
        replace(SPLIT, test=np.array([], dtype=int)),
        Split(np.array([0, 1, 2, 3, 4]), np.array([5]), np.array([6])),  # one image moved
        Split(np.array([0, 1, 2, 3]), np.array([4]), np.array([5, 6])),
    ]
    assert len({split_fingerprint(one) for one in (SPLIT, *others)}) == len(others) + 1
    assert len(split_fingerprint(SPLIT)) == 32


def test_repeated_training_images_are_the_same_split() -> None:
    assert split_fingerprint(replace(SPLIT, train=np.array([0, 0, 1, 2, 3, 3]))) == split_fingerprint(SPLIT)


def test_training_images_are_no_set_of_what_a_score_is_measured_on() -> None:
    fewer = replace(SPLIT, train=np.array([0, 1]))
    assert evaluation_fingerprint(fewer) == evaluation_fingerprint(SPLIT)
    others = (replace(SPLIT, validation=np.array([4])), Split(SPLIT.train, SPLIT.validation, SPLIT.train))
    assert len({evaluation_fingerprint(one) for one in (SPLIT, *others)}) == 3


def test_fractions_seeds_and_folds_of_a_real_dataset_differ(settings: Settings) -> None:
    digits = load("digits")
    configs = [
        DataConfig(),
        DataConfig(validation_fraction=0.2),
        DataConfig(split_seed=1),
        DataConfig(folds=5, fold=0),
        DataConfig(folds=5, fold=1),
        DataConfig(folds=4, fold=0),
        DataConfig(imbalance="at_most", at_most=20),
    ]
    found = [split_fingerprint(choices.split_for(digits, config)) for config in configs]
    assert len(set(found)) == len(configs)
    assert split_fingerprint(split(digits)) == found[0]
    for same in ("class_weights", "balanced"):  # how often an image is drawn, not which images there are
        assert split_fingerprint(choices.split_for(digits, DataConfig(imbalance=same))) == found[0]
