"""Assign whole groups of images (a patient, a scene) to sets or folds.

Each set gets about its share of every class, by a greedy assignment that moves and exchanges then improve.
All in integers, so that every machine takes the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.datasets.shuffle import shuffled

PRECISION = 16  # wanted counts are rounded to 1 / PRECISION of an image, so that integers are compared
MAX_STEPS = 200  # moves and exchanges that improve a split by groups
MAX_RESTARTED, RESTARTS = 64, 16  # few groups are assigned from several starts, and the best is taken
MAX_EXCHANGES = 400  # units among which pairs are tried for an exchange; with more, single moves suffice


def assign_groups(
    labels: np.ndarray, groups: np.ndarray, shares: Sequence[float], seed: int, *, legacy: bool = False
) -> np.ndarray:
    """Assign groups to bins so that each bin gets about its share of each class.

    In order of size, the largest first, each group goes to the bin that lacks its classes most; then groups
    are moved and exchanged while that brings the counts nearer to the shares. Up to `MAX_RESTARTED` groups
    are assigned from several starting points. No bin stays empty if there are at least as many groups.

    Args:
        labels: int64 `(N,)`, class of each image.
        groups: `(N,)`, name of each image's group.
        shares: one per bin, sum 1.
        seed: of the order among groups of equal size.
        legacy: without moves and exchanges, as older versions did.

    Returns:
        int64 `(N,)`, the bin of each image.
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
    """Assign groups in this order, each to the bin that lacks its classes most: int64 `(G,)`."""
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
    """Return the images of each class that each bin should get, times PRECISION: int64 `(bins, C)`."""
    return np.rint(np.outer(shares, content.sum(axis=0)) * PRECISION).astype(np.int64)


def _distance(chosen: np.ndarray, content: np.ndarray, shares: Sequence[float]) -> int:
    """Return the squared distance of the counts of each bin and class from the wanted ones."""
    missing = _wanted(content, shares)
    np.subtract.at(missing, chosen, content * PRECISION)
    return int((missing**2).sum())


def _balanced(chosen: np.ndarray, content: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Move a group, or exchange two, while the squared distance from the wanted counts falls.

    Args:
        chosen: int64 `(G,)`, the bin of every group.
        content: int64 `(G, C)`, images of each class.
    """
    chosen = chosen.copy()
    wanted = _wanted(content, shares)
    weights = content * PRECISION
    lengths = (weights**2).sum(axis=1)
    gram = weights @ weights.T if len(content) <= MAX_EXCHANGES else None
    for _ in range(MAX_STEPS):
        missing = wanted.copy()
        np.subtract.at(missing, chosen, weights)
        fit = weights @ missing.T  # how much each bin lacks what each group has
        moves = _changes_by_moves(chosen, fit, lengths)
        swaps = (
            _changes_by_swaps(chosen, fit, lengths, gram) if gram is not None else np.zeros((1, 1), np.int64)
        )
        if min(moves.min(), swaps.min()) >= 0:
            break
        if swaps.min() < moves.min():
            one, other = np.unravel_index(np.argmin(swaps), swaps.shape)
            chosen[one], chosen[other] = chosen[other], chosen[one]
        else:
            group, target = np.unravel_index(np.argmin(moves), moves.shape)
            chosen[group] = target
    return chosen


def _changes_by_moves(chosen: np.ndarray, fit: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return half the change of the squared distance when a group moves to a bin: int64 `(G, bins)`.

    Args:
        chosen: int64 `(G,)`, the bin of every group.
        fit: int64 `(G, bins)`, how much each bin lacks what each group has.
        lengths: int64 `(G,)`, squared length of each group's counts.
    """
    everyone = np.arange(len(chosen))
    changes = fit[everyone, chosen][:, None] - fit + lengths[:, None]
    changes[everyone, chosen] = 0
    changes[np.bincount(chosen, minlength=fit.shape[1])[chosen] == 1] = 0  # a bin keeps its last group
    return changes


def _changes_by_swaps(
    chosen: np.ndarray, fit: np.ndarray, lengths: np.ndarray, gram: np.ndarray
) -> np.ndarray:
    """Return half the change of the squared distance when two groups change places: int64 `(G, G)`.

    Args: as `_changes_by_moves`; gram: int64 `(G, G)`, inner products of the groups' counts.
    """
    here = fit[np.arange(len(chosen)), chosen]
    cross = fit[:, chosen]  # `[g, h]`: how much the bin of h lacks what g has
    changes = (here[:, None] - cross + lengths[:, None]) + (here[None] - cross.T + lengths[None])
    changes -= 2 * gram
    changes[chosen[:, None] == chosen[None]] = 0
    return changes
