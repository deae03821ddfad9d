"""Divide a dataset into training, validation and test set.

Splits are seeded and stratified by class; they divide neither groups nor copies of an image. Random orders
come from `core.datasets.shuffle`, so a seed gives the same split on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.datasets.group_assignment import assign_groups
from core.datasets.records import ImageDataset
from core.datasets.shuffle import shuffled
from core.datasets.together import Rule, units


@dataclass(frozen=True)
class Split:
    """Rows of the three sets: int64 arrays, ascending, without a row in common."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(
    dataset: ImageDataset,
    *,
    validation_fraction: float = 0.1,
    seed: int = 0,
    folds: int | None = None,
    fold: int | None = None,
    rule: Rule = "identical",
) -> Split:
    """Divide a dataset. The test set is fixed at import; no argument changes it.

    Args:
        dataset: with its groups and the digests of its images.
        validation_fraction: 0 to 0.9 of each class outside the test set; ignored when the dataset has a
            validation set of its own.
        seed: of the random order.
        folds: for cross-validation, the number of folds that everything outside the test set is dealt onto.
        fold: the one that validates, 0 to `folds` - 1.
        rule: which images stay together, see `core.datasets.together.units`. `legacy` gives the split that
            older versions made, which divided copies of an image.

    Raises:
        ValueError: a value is out of range, or no image would be left to train on.
    """
    check_split(validation_fraction, folds, fold)
    train, validation, test = (dataset.indices(subset) for subset in ("train", "validation", "test"))
    if folds is not None:
        pool = np.sort(np.concatenate([train, validation]))
        legacy = rule == "legacy"
        dealt = deal(dataset.labels[pool], _groups(dataset, pool), folds, seed, legacy=legacy)
        together = None if legacy else units(dataset, pool, rule)
        dealt = keep_together(dealt, together, dataset.labels[pool], folds, seed)
        train, validation = pool[dealt != fold], pool[dealt == fold]
    elif not len(validation):
        held_out = hold_out(
            dataset.labels[train],
            _groups(dataset, train),
            validation_fraction,
            seed,
            units=units(dataset, train, rule),
            legacy=rule == "legacy",
        )
        train, validation = train[~held_out], train[held_out]
    if not len(train):
        raise ValueError(f"The dataset '{dataset.info.name}' leaves no image to train on.")
    return Split(train, validation, test)


def check_split(validation_fraction: float, folds: int | None, fold: int | None) -> None:
    """Raise ValueError when these values cannot describe a split."""
    if not 0 <= validation_fraction <= 0.9:
        raise ValueError(f"`validation_fraction` must be in 0 to 0.9. Received: {validation_fraction}.")
    if (folds is None) != (fold is None):
        raise ValueError(f"`folds` and `fold` go together. Received: folds={folds}, fold={fold}.")
    if folds is not None and fold is not None:
        if folds < 2:
            raise ValueError(f"`folds` must be at least 2. Received: {folds}.")
        if not 0 <= fold < folds:
            raise ValueError(f"`fold` must be in 0 to {folds - 1}. Received: {fold}.")


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    seed: int,
    *,
    units: np.ndarray | None = None,
    legacy: bool = False,
) -> np.ndarray:
    """Choose a fraction of every class to hold out.

    A class of two or more images that need not stay together has at least one image on each side. A class
    that cannot be divided is trained on.

    Args:
        labels: int64 `(N,)`, class of each image.
        groups: `(N,)` or None, names of groups that are not divided.
        fraction: 0 to 1 of every class.
        seed: of the random order.
        units: int64 `(N,)` or None, numbers of images that stay together, groups included.
        legacy: assign groups as older versions did, to reconstruct the split of a run.

    Returns:
        bool `(N,)`, True where held out.
    """
    if fraction == 0:
        return np.zeros(len(labels), dtype=bool)
    if groups is not None:
        bins = assign_groups(labels, groups, [fraction, 1 - fraction], seed, legacy=legacy)
        held_out = bins == 0
    else:
        held_out = np.zeros(len(labels), dtype=bool)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            wanted = int(len(members) * fraction + 0.5)
            count = min(max(wanted, 1), len(members) - 1)
            held_out[members[shuffled(len(members), seed, int(label))[:count]]] = True
    if units is None or legacy:
        return held_out
    kept = keep_together(held_out.astype(np.int64), units, labels, 2, seed) == 1
    return _train_on_every_class(kept, units, labels)


def deal(
    labels: np.ndarray, groups: np.ndarray | None, folds: int, seed: int, *, legacy: bool = False
) -> np.ndarray:
    """Deal the images of every class evenly onto `folds` folds, groups undivided.

    Returns:
        int64 `(N,)`, the fold of each image.
    """
    if groups is not None:
        return assign_groups(labels, groups, [1 / folds] * folds, seed, legacy=legacy)
    dealt = np.zeros(len(labels), dtype=np.int64)
    first = 0  # a class begins where the last one ended, so that the folds end up equally large
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = shuffled(len(members), seed, int(label))
        dealt[members[order]] = (first + np.arange(len(members))) % folds
        first += len(members)
    return dealt


def keep_together(
    bins: np.ndarray, units: np.ndarray | None, labels: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Move every unit that several bins share into one of them; all other images stay where they are.

    The counts of each class and bin change as little as the units allow: in order of size, the largest first,
    each unit goes to the bin that lacks its classes most; of equal bins, to the first.

    Args:
        bins: int64 `(N,)`, a bin for every image, 0 to `count` - 1.
        units: int64 `(N,)`, numbers of images that stay together; None: no image is tied to another.
        labels: int64 `(N,)`, class of each image.
        count: of bins.
        seed: of the order among units of equal size.

    Returns:
        int64 `(N,)`, the bin of every image.
    """
    if units is None or not len(units):
        return bins
    _, units, sizes = np.unique(units, return_inverse=True, return_counts=True)
    first, last = np.full(len(sizes), count), np.full(len(sizes), -1)
    np.minimum.at(first, units, bins)
    np.maximum.at(last, units, bins)
    divided = np.flatnonzero(first < last)
    if not len(divided):
        return bins
    order = divided[shuffled(len(divided), seed)]
    order = order[np.argsort(-sizes[order], kind="stable")]
    by_unit = np.argsort(units, kind="stable")
    start = np.cumsum(sizes) - sizes
    classes = np.unique(labels, return_inverse=True)[1]
    missing = np.zeros((count, classes.max() + 1), np.int64)
    loose = np.isin(units, divided)
    np.add.at(missing, (bins[loose], classes[loose]), 1)
    bins = bins.copy()
    for unit in order:
        members = by_unit[start[unit] : start[unit] + sizes[unit]]
        present, counts = np.unique(classes[members], return_counts=True)
        chosen = int(np.argmax(missing[:, present] @ counts))
        missing[chosen, present] -= counts
        bins[members] = chosen
    return bins


def _train_on_every_class(held_out: np.ndarray, units: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Hold out a unit of every class where its units allow it, and leave each class a unit to train on."""
    held_out = held_out.copy()
    sizes = np.bincount(units)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        own = np.unique(units[members])
        if not held_out[members].any() and len(own) > 1:
            smallest = own[np.argmin(sizes[own])]
            if len(np.unique(labels[units == smallest])) == 1:  # else it would take other classes along
                held_out[units == smallest] = True
        if held_out[members].all():
            held_out[units == own[np.argmin(sizes[own])]] = False
    return held_out


def _groups(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray | None:
    return None if dataset.groups is None else dataset.groups[rows]
