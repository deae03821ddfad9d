"""Images that must stay in one set: of a named group, identical, and near duplicates on request."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from core.datasets.records import ImageDataset, digest_keys

Rule = Literal["legacy", "groups", "identical", "near"]

RULES: tuple[Rule, ...] = get_args(Rule)


def units(dataset: ImageDataset, rows: np.ndarray, rule: Rule) -> np.ndarray | None:
    """Number images so that those which must stay in one set share a number.

    Args:
        dataset: of the images.
        rows: int64 `(n,)`, the images that are split.
        rule: `groups`: images of one named group; `identical`: identical images too; `near`: near duplicates
            too. Links are transitive: two groups that share an image are one unit. `legacy`: by group alone,
            as older versions did.

    Returns:
        int64 `(n,)`, or None if every image is a unit of its own.
    """
    groups = None if dataset.groups is None else dataset.groups[rows]
    digests = dataset.digests[rows] if rule in ("identical", "near") else None
    pairs = None
    if rule == "near":
        from core.datasets.duplicates import near_pairs

        position = np.full(len(dataset), -1, np.int64)
        position[rows] = np.arange(len(rows))
        pairs = position[near_pairs(dataset)]
        pairs = pairs[(pairs >= 0).all(axis=1)]
    return linked(len(rows), groups, digests, pairs)


def linked(
    count: int, groups: np.ndarray | None, digests: np.ndarray | None, pairs: np.ndarray | None = None
) -> np.ndarray | None:
    """Number `count` images so that those which groups, digests or pairs link share a number.

    Args:
        groups: `(count,)`, equal where images belong together; None: no groups.
        digests: `(count,)`, likewise.
        pairs: int64 `(P, 2)`, positions of images that belong together.

    Returns:
        int64 `(count,)`, or None if every image is a unit of its own.
    """
    links = [] if groups is None else [_numbered(groups)]
    links += [] if digests is None else [_numbered(digest_keys(digests))]
    links = [numbers for numbers in links if numbers.max(initial=-1) + 1 < count]
    if pairs is None or not len(pairs):
        if len(links) < 2:
            return links[0] if links else None
        pairs = np.empty((0, 2), np.int64)
    return _connected(count, links, pairs)


def _numbered(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _connected(count: int, links: list[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return connected components of `count` images, linked by equal numbers in `links` and by `pairs`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones, others, total = [pairs[:, 0]], [pairs[:, 1]], count
    for numbers in links:
        ones.append(np.arange(count))
        others.append(total + numbers)
        total += int(numbers.max(initial=-1)) + 1
    one, other = np.concatenate(ones), np.concatenate(others)
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(total, total))
    return connected_components(graph, directed=False)[1][:count].astype(np.int64)
