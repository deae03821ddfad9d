"""The images that trained a run or one of its ancestors, as short digests, and the file that tells them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import datasets
from core.datasets import ImageDataset
from core.datasets.records import digest_keys
from core.datasets.splits import Split
from core.images.value_range import Rule, number

MAX_KEYS = 1 << 18  # images that a run writes down, 2 MiB; of more, those with the smallest digests
ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Seen:
    """Images that trained a run or one of its ancestors.

    keys: uint64 `(n,)`, ascending, of their digests (`digest_keys`). limit: larger keys were not kept.
    kinds: how the images were stored; digests of other kinds cannot be compared. unknown: sentences on what
    is not known of the chain. ranged: whether the kinds tell the value range of images deeper than 8 bits;
    older versions did not write it.
    """

    keys: np.ndarray
    limit: np.uint64 = ALL
    kinds: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    ranged: bool = True


NOTHING = Seen(np.empty(0, np.uint64))


def joined(dataset: ImageDataset, split: Split, parents: Iterable[Seen]) -> Seen:
    """What a run has seen: its own training images and what its parents have."""
    own = Seen(
        np.unique(digest_keys(dataset.digests[split.train])).astype(np.uint64),
        kinds=frozenset({kind_of(dataset)}),
    )
    every = [own, *parents]
    limit = min(one.limit for one in every)
    keys = np.unique(np.concatenate([one.keys for one in every]))
    keys = keys[keys <= limit]
    if len(keys) > MAX_KEYS:
        keys = keys[:MAX_KEYS]
        limit = keys[-1]
    kinds = frozenset().union(*(one.kinds for one in every))
    unknown = tuple(dict.fromkeys(sentence for one in every for sentence in one.unknown))
    return Seen(keys, np.uint64(limit), kinds, unknown)


def kind_of(dataset: ImageDataset) -> str:
    """What must be alike for the digests of two datasets to be comparable; reading in grey changes none."""
    info = datasets.info(dataset.info.name)
    shape = "×".join(map(str, info.shape))
    return f"{shape}, {info.options.get('policy', 'stretch')}{range_of(info.value_range)}"


def range_of(rule: Rule) -> str:
    """The value range by which deep images became 8 bits; empty where none is known to be deep."""
    return f", values {number(rule[0])} to {number(rule[1])}" if isinstance(rule, tuple) else ""


def write(path: Path, seen: Seen) -> None:
    """Write what a run has seen to an .npz file."""
    said = json.dumps({"kinds": sorted(seen.kinds), "unknown": list(seen.unknown), "ranged": seen.ranged})
    np.savez(path, keys=seen.keys, limit=seen.limit, said=np.frombuffer(said.encode(), np.uint8))


def read(path: Path) -> Seen:
    """The inverse of `write`."""
    with np.load(path, allow_pickle=False) as file:
        said = json.loads(file["said"].tobytes())
        return Seen(
            file["keys"],
            np.uint64(file["limit"]),
            frozenset(said["kinds"]),
            tuple(said["unknown"]),
            said.get("ranged", False),
        )
