"""The records of a dataset: its manifest, its images, and the sources that ship with the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from core.images.target import Shape as Shape
from core.images.value_range import FULL, Rule, rule_from_json

SUBSETS = ("train", "validation", "test")
LEFT_OUT = -1  # in place of a set's code: the image is left out


class DatasetError(ValueError):
    """A dataset cannot be read or prepared; the message says why and what to do."""


class DatasetDamaged(DatasetError):
    """A stored file of a dataset cannot be read."""


class Problem(NamedTuple):
    """A file that was not imported: its name in the source, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class DatasetInfo:
    """The manifest of a dataset.

    Args:
        shape: `(H, W, C)` in pixels.
        counts: images per class of each set.
        fingerprint: changes with any pixel, label or set; empty while the dataset is not `prepared`.
        notes: sentences about choices that the import made.
        options: of the import.
        value_range: the rule by which images deeper than 8 bits were converted, also for later predictions.
    """

    name: str
    title: str
    shape: Shape
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    fingerprint: str = ""
    source: str = ""
    description: str = ""
    licence: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    grouped: bool = False
    created: str = ""
    prepared: bool = True
    value_range: Rule = FULL  # of a manifest without one

    @property
    def size(self) -> int:
        """The number of images in all sets."""
        return sum(sum(counts) for counts in self.counts.values())

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def subset_size(self, subset: str) -> int:
        """Return how many images a set has."""
        return sum(self.counts.get(subset, ()))

    def to_dict(self) -> dict[str, Any]:
        """Return the info in JSON's types: lists, strings and numbers."""
        values = asdict(self)
        values["problems"] = [{"name": p.name, "reason": p.reason} for p in self.problems]
        values["counts"] = {subset: list(counts) for subset, counts in self.counts.items()}
        for key in ("shape", "classes", "notes"):
            values[key] = list(values[key])
        return {**values, "size": self.size, "num_classes": self.num_classes}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetInfo:
        """Restore an info from `to_dict`.

        Raises KeyError, TypeError or ValueError where a value is missing or has the wrong type.
        """
        known = {key: value for key, value in values.items() if key not in ("size", "num_classes")}
        height, width, channels = values["shape"]
        known["shape"] = (int(height), int(width), int(channels))
        known["classes"] = tuple(values["classes"])
        known["counts"] = {subset: tuple(values["counts"][subset]) for subset in SUBSETS}
        known["problems"] = tuple(Problem(p["name"], p["reason"]) for p in values["problems"])
        known["notes"] = tuple(values["notes"])
        known["value_range"] = rule_from_json(values.get("value_range"))
        try:
            info = _fields().validate_python(known)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if min(info.shape) < 1 or {len(counts) for counts in info.counts.values()} != {info.num_classes}:
            raise ValueError("shape, classes and counts do not fit together")
        return info


@cache
def _fields() -> TypeAdapter[DatasetInfo]:
    """Create an info from its fields if these have the right types."""
    return TypeAdapter(DatasetInfo)


@dataclass(frozen=True)
class Source:
    """A dataset that ships with the program or that it can download.

    Args:
        classes: that `read` will return, so that they can be shown before; likewise shape and counts.
        read: returns the images; may download.
        embedded: needs no network and takes seconds at most, so it is prepared at its first use.
    """

    name: str
    title: str
    description: str
    licence: str
    shape: Shape
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    read: Callable[[], Arrays]
    embedded: bool = False


class Arrays(NamedTuple):
    """A dataset in memory. images: uint8 `(N, H, W, C)`.

    Labels: int `(N,)`; subsets: positions in SUBSETS.
    """

    images: np.ndarray
    labels: np.ndarray
    subsets: np.ndarray
    source_names: list[str]


@dataclass(frozen=True)
class ImageDataset:
    """A dataset; row i of every array belongs to the same image.

    Args:
        images: uint8 `(N, H, W, C)`, 0-255, memory-mapped: index it with the rows of a batch.
        labels: int64 `(N,)`, positions in `info.classes`.
        subsets: int8 `(N,)`, positions in SUBSETS, or LEFT_OUT.
        source_names: str `(N,)`, the image's name in its source.
        groups: str `(N,)` or None: images of one group (a patient, a scene) belong in one set.
        sizes: int32 `(N, 2)`, height and width in pixels before resizing.
        digests: bytes `(N,)`, equal where the pixels are equal.
    """

    info: DatasetInfo
    images: np.ndarray
    labels: np.ndarray
    subsets: np.ndarray
    source_names: np.ndarray
    groups: np.ndarray | None
    sizes: np.ndarray
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def indices(self, subset: str | None = None) -> np.ndarray:
        """Return the rows of one set, or of all sets, ascending, without those left out: int64 `(n,)`."""
        if subset is None:
            return np.flatnonzero(self.subsets != LEFT_OUT)
        if subset not in SUBSETS:
            raise ValueError(f"`subset` must be one of {', '.join(SUBSETS)}. Received: {subset!r}.")
        return np.flatnonzero(self.subsets == SUBSETS.index(subset))


def count_subsets(labels: np.ndarray, subsets: np.ndarray, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Return the images per class of each set."""
    return {
        subset: tuple(np.bincount(labels[subsets == code], minlength=num_classes).tolist())
        for code, subset in enumerate(SUBSETS)
    }


def digest_keys(digests: np.ndarray) -> np.ndarray:
    """Return the first eight bytes of every digest: uint64 `(N,)`, equal where the pixels are equal."""
    if not len(digests):
        return np.empty(0, np.uint64)
    return np.frombuffer(b"".join(digest[:8] for digest in digests.tolist()), dtype="<u8")
