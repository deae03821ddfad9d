"""Who trains, who validates, who tests: seeded, stratified by class, whole groups kept together.

Only bit streams of PCG64 are drawn on, which NumPy guarantees to stay as they are, so that a seed gives the
same split on every machine and with every NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.datasets.records import ImageDataset


@dataclass(frozen=True)
class Split:
    """Rows of the three parts: int64 arrays, ascending, without a row in common."""

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
) -> Split:
    """Divide a dataset. The test part is the one fixed at import, whatever the seed.

    validation_fraction: 0 to 0.9 of each class's images outside the test part; ignored when the dataset
        brings a validation part, which is used as it is.
    folds, fold: instead, cut all that is not test into `folds` equal parts and validate on number `fold`
        (0 to folds - 1).

    Raises ValueError when a value is out of range or nothing would be left to train on.
    """
    check_split(validation_fraction, folds, fold)
    train, validation, test = (dataset.indices(part) for part in ("train", "validation", "test"))
    if folds is not None:
        pool = np.sort(np.concatenate([train, validation]))
        dealt = deal(dataset.labels[pool], _groups(dataset, pool), folds, seed)
        train, validation = pool[dealt != fold], pool[dealt == fold]
    elif not len(validation):
        held_out = hold_out(dataset.labels[train], _groups(dataset, train), validation_fraction, seed)
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


def hold_out(labels: np.ndarray, groups: np.ndarray | None, fraction: float, seed: int) -> np.ndarray:
    """Choose that fraction of every class: bool `(N,)`, True where held out.

    Without groups, a class of at least two images has at least one on either side; a class of one stays.
    """
    if fraction == 0:
        return np.zeros(len(labels), dtype=bool)
    if groups is not None:
        return assign_groups(labels, groups, [fraction, 1 - fraction], seed) == 0
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        wanted = int(len(members) * fraction + 0.5)
        count = min(max(wanted, 1), len(members) - 1)
        held_out[members[shuffled(len(members), seed, int(label))[:count]]] = True
    return held_out


def deal(labels: np.ndarray, groups: np.ndarray | None, folds: int, seed: int) -> np.ndarray:
    """Deal the images of every class evenly onto `folds` folds, whole groups together: int64 `(N,)`."""
    if groups is not None:
        return assign_groups(labels, groups, [1 / folds] * folds, seed)
    dealt = np.zeros(len(labels), dtype=np.int64)
    first = 0  # a class begins where the last one ended, so that the folds end up equally large
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = shuffled(len(members), seed, int(label))
        dealt[members[order]] = (first + np.arange(len(members))) % folds
        first += len(members)
    return dealt


def assign_groups(labels: np.ndarray, groups: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Put whole groups into `len(shares)` bins so that each gets about its share of each class: int64 `(N,)`.

    The largest group goes first, each where its classes are missed most; the shares hold as nearly as the
    groups allow. No bin stays empty as long as there are as many groups.
    """
    _, membership = np.unique(groups, return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    content = np.zeros((membership.max(initial=-1) + 1, classes.max(initial=-1) + 1))
    np.add.at(content, (membership, classes), 1)
    missing = np.outer(shares, content.sum(axis=0))
    order = shuffled(len(content), seed)
    order = order[np.argsort(-content[order].sum(axis=1), kind="stable")]
    chosen = np.zeros(len(content), dtype=np.int64)
    for group in order:
        # The squared distance from the wanted counts falls most in the bin where this product is largest.
        chosen[group] = int(np.argmax(missing @ content[group]))
        missing[chosen[group]] -= content[group]
    sizes = content.sum(axis=1)
    for empty in [bin_ for bin_ in range(len(shares)) if shares[bin_] > 0 and not (chosen == bin_).any()]:
        counts = np.bincount(chosen, minlength=len(shares))
        spare = np.flatnonzero(counts[chosen] > 1)  # a bin keeps its last group
        if len(spare):
            chosen[spare[np.argmin(sizes[spare])]] = empty
    return chosen[membership]


def shuffled(count: int, *seed: int) -> np.ndarray:
    """0 to count - 1 in an order that depends on the seed alone: int64 `(count,)`."""
    draws = np.random.PCG64(np.random.SeedSequence(list(seed))).random_raw(count)
    return np.argsort(draws, kind="stable")


def _groups(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray | None:
    return None if dataset.groups is None else dataset.groups[rows]
