"""Handle class imbalance: weights in the loss, even sampling, or a maximum number of images per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.datasets.shuffle import shuffled


def imbalance(classes: Sequence[str], counts: Sequence[int]) -> str:
    """Describe the ratio between the largest and the smallest class. counts: images per class."""
    order = np.argsort(counts, kind="stable")
    smallest, largest = int(order[0]), int(order[-1])
    few, many = counts[smallest], counts[largest]
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        return f"{len(empty):,} of {len(classes):,} classes have no image, among them '{empty[0]}'."
    ratio = many / few
    if ratio == 1:
        return f"The classes are balanced: {many:,} images each."
    if ratio < 1.5:
        return f"The classes are nearly balanced: {few:,} to {many:,} images each."
    degree = "somewhat" if ratio < 3 else "clearly" if ratio < 10 else "severely"
    return (
        f"The classes are {degree} imbalanced: '{classes[largest]}' ({many:,} images) has {ratio:.1f} times "
        f"as many as '{classes[smallest]}' ({few:,})."
    )


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the weight of each class in the loss, so that all count alike: float64 `(num_classes,)`.

    The mean weight over the images `labels` is 1; a class without images has weight 0.
    """
    return weights_of(np.bincount(labels, minlength=num_classes))


def weights_of(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return `class_weights` from the number of training images per class: float64 `(num_classes,)`."""
    counts = np.asarray(counts)
    present = np.count_nonzero(counts)
    return np.where(counts > 0, counts.sum() / (present * np.maximum(counts, 1)), 0.0)


def balanced(rows: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return rows in which every class occurs as often as the largest: images of small classes repeat.

    Args:
        rows: int64 `(n,)`; every one occurs at least once, and repetitions are spread evenly.
        labels: int64 `(n,)`, of `rows`.
        seed: of the order.
    """
    most = int(np.bincount(labels).max(initial=0))
    chosen = []
    for label in np.unique(labels):
        members = rows[labels == label]
        order = members[shuffled(len(members), seed, int(label))]
        chosen.append(np.resize(order, most))
    return np.sort(np.concatenate(chosen)) if chosen else rows


def at_most(rows: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows with at most `count` of every class, chosen by the seed, ascending.

    A smaller count chooses a subset of a larger one's. Raises ValueError when count is below 1.
    """
    if count < 1:
        raise ValueError(f"At most how many images a class must be at least 1. Received: {count}.")
    chosen = []
    for label in np.unique(labels):
        members = rows[labels == label]
        chosen.append(members[shuffled(len(members), seed, int(label))[:count]])
    return np.sort(np.concatenate(chosen)) if chosen else rows
