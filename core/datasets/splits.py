"""Training, validation and test set: seeded, stratified by class, groups and copies of an image undivided.

Only bit streams of PCG64 are drawn on, which NumPy guarantees to stay as they are, so that a seed gives the
same split on every machine and with every NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.datasets.records import ImageDataset
from core.datasets.together import Rule, units

PRECISION = 16  # wanted counts are rounded to this part of an image, so that integers compare them
MAX_STEPS = 200  # moves and exchanges that improve a split by groups
MAX_RESTARTED, RESTARTS = 64, 16  # few groups are assigned from several starts, and the best is taken
MAX_EXCHANGES = 400  # units among which pairs are tried for an exchange; with more, single moves suffice


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
    """Divide a dataset. The test set is the one fixed at import, whatever the seed.

    validation_fraction: 0 to 0.9 of each class's images outside the test set; ignored when the dataset
        brings a validation set, which is used as it is.
    folds, fold: instead, cut all that is not test into `folds` equal folds and validate on number `fold`
        (0 to folds - 1).
    rule: which images stay together, see `core.datasets.together.units`. `legacy` gives the split that older
        versions made, which divided copies of an image.

    Raises ValueError when a value is out of range or nothing would be left to train on.
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
    """Choose that fraction of every class: bool `(N,)`, True where held out.

    A class of at least two images, where they need not stay together, has at least one on either side. A
    class that cannot be divided is trained on.

    Args:
        groups: `(N,)` or None, names of groups that are not divided.
        fraction: 0 to 1 of every class.
        units: int64 `(N,)` or None, numbers of images that stay together, groups included.
        legacy: assign groups as older versions did, to reconstruct the split of a run.
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
    """Deal the images of every class evenly onto `folds` folds, whole groups together: int64 `(N,)`."""
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
    """Put every unit that `bins` divides into one of the bins; all others stay where they are.

    The counts of each class and bin stay as near as the units allow to what they are: the largest divided
    unit goes first, each to the bin that lacks its classes most, of equals to the first.

    Args:
        bins: int64 `(N,)`, a bin for every image, 0 to `count` - 1.
        units: int64 `(N,)`, numbers of images that stay together; None: nothing does.

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
    """Give every class its place on both sides where its units allow it, and in training in any case."""
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


def assign_groups(
    labels: np.ndarray, groups: np.ndarray, shares: Sequence[float], seed: int, *, legacy: bool = False
) -> np.ndarray:
    """Put whole groups into `len(shares)` bins so that each gets about its share of each class: int64 `(N,)`.

    The largest group goes first, each where its classes are missed most; then groups move and change places
    as long as that brings the counts nearer to the shares; few groups from several starts. No bin stays empty
    as long as there are as many groups. legacy: without the second step, as older versions did.
    """
    _, membership = np.unique(groups, return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    content = np.zeros((membership.max(initial=-1) + 1, classes.max(initial=-1) + 1))
    np.add.at(content, (membership, classes), 1)
    if not len(content):
        return np.zeros(0, np.int64)
    order = shuffled(len(content), seed)
    order = order[np.argsort(-content[order].sum(axis=1), kind="stable")]
    chosen = _greedy(content, shares, order)
    if legacy:
        return chosen[membership]
    starts = [chosen]
    if len(content) <= MAX_RESTARTED:
        starts += [_greedy(content, shares, shuffled(len(content), seed, more)) for more in range(RESTARTS)]
    counts = content.astype(np.int64)
    found = [_balanced(start, counts, shares) for start in starts]
    return min(found, key=lambda result: _distance(result, counts, shares))[membership]


def _greedy(content: np.ndarray, shares: Sequence[float], order: np.ndarray) -> np.ndarray:
    """Put groups, in this order, where their classes are missed most: int64 `(G,)`."""
    missing = np.outer(shares, content.sum(axis=0))
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
    return chosen


def _wanted(content: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Images of each class that each bin should get, in units of 1 / PRECISION: int64 `(bins, C)`."""
    return np.rint(np.outer(shares, content.sum(axis=0)) * PRECISION).astype(np.int64)


def _distance(chosen: np.ndarray, content: np.ndarray, shares: Sequence[float]) -> int:
    """The squared distance between the counts of each bin and class and those that are wanted."""
    missing = _wanted(content, shares)
    np.subtract.at(missing, chosen, content * PRECISION)
    return int((missing**2).sum())


def _balanced(chosen: np.ndarray, content: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Move groups, and exchange two, while the squared distance from the wanted counts falls.

    In integers, so that every machine takes the same steps.

    Args:
        chosen: int64 `(G,)`, the bin of every group.
        content: int64 `(G, C)`, images of each class.
    """
    chosen = chosen.copy()
    wanted = _wanted(content, shares)
    weights = content * PRECISION
    lengths = (weights**2).sum(axis=1)
    everyone = np.arange(len(content))
    exchanges = len(content) <= MAX_EXCHANGES
    gram = weights @ weights.T if exchanges else None
    for _ in range(MAX_STEPS):
        missing = wanted.copy()
        np.subtract.at(missing, chosen, weights)
        fit = weights @ missing.T  # how much each bin lacks what each group has
        here = fit[everyone, chosen]
        gains = here[:, None] - fit + lengths[:, None]  # half the change of the squared distance by a move
        gains[everyone, chosen] = 0
        gains[np.bincount(chosen, minlength=len(shares))[chosen] == 1] = 0  # a bin keeps its last group
        move = int(np.argmin(gains))
        best = int(gains.flat[move])
        pair = None
        if gram is not None:
            cross = fit[:, chosen]  # `[g, h]`: how much the bin of h lacks what g has
            swaps = (here[:, None] - cross + lengths[:, None]) + (here[None] - cross.T + lengths[None])
            swaps -= 2 * gram
            swaps[chosen[:, None] == chosen[None]] = 0
            least = int(np.argmin(swaps))
            if swaps.flat[least] < best:
                best, pair = int(swaps.flat[least]), np.unravel_index(least, swaps.shape)
        if best >= 0:
            break
        if pair is not None:
            one, other = pair
            chosen[one], chosen[other] = chosen[other], chosen[one]
        else:
            group, target = np.unravel_index(move, gains.shape)
            chosen[group] = target
    return chosen


def shuffled(count: int, *seed: int) -> np.ndarray:
    """0 to count - 1 in an order that depends on the seed alone: int64 `(count,)`."""
    draws = np.random.PCG64(np.random.SeedSequence(list(seed))).random_raw(count)
    return np.argsort(draws, kind="stable")


def _groups(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray | None:
    return None if dataset.groups is None else dataset.groups[rows]
