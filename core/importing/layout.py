"""Interpret the folders of a source: one per class, with or without train/, validation/, test/ above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.datasets.records import Problem

SUBSET_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
# Words beside the set in names such as train_images, test-set, "Validation data" or seg_train.
SUBSET_COMPANIONS = frozenset(("image", "images", "img", "imgs", "set", "data", "dataset", "split", "seg"))
IGNORED_FILES = frozenset(("thumbs.db", "desktop.ini", "icon\r"))
IGNORED_FOLDERS = frozenset(("__macosx", "@eadir"))
IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)

Steps = tuple[str, ...]


class LayoutRefused(ValueError):
    """The folders do not form a dataset; the message says why."""


class Place(NamedTuple):
    """What a file's path says: its set, or None when the source names no sets, and its class."""

    subset: str | None
    label: str


def subset_of(name: str) -> str | None:
    """Return the set that a folder, table or cell names, as `Training` or `train_images` do; else None."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainImages
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word and word not in SUBSET_COMPANIONS]
    return SUBSET_NAMES.get(words[0]) if len(words) == 1 else None


def is_ignored(steps: Sequence[str]) -> bool:
    """Return whether a path is a file of the system: hidden files, __MACOSX, Thumbs.db."""
    if steps[-1].lower() in IGNORED_FILES:
        return True
    return any(step[:1] == "." or step.lower() in IGNORED_FOLDERS for step in steps)


def understand(paths: Sequence[Steps]) -> tuple[list[Place | None], list[Problem]]:
    """Return the place of every path (its steps below the source), None for a file that is in no class.

    A single folder around everything is skipped; files deeper than a class folder belong to the class, unless
    every class folder contains the sets. An image in no class is a problem; other files beside the class
    folders (a README) are not. Raises LayoutRefused for sets without a train folder.
    """
    start = _wrapping_folders(paths)
    tops = {steps[start] for steps in paths if len(steps) > start + 1}
    named = {top for top in tops if subset_of(top)}
    subsets = {subset for top in named if (subset := subset_of(top))}
    has_subsets = bool(named) and (named == tops or len(subsets) > 1)
    if has_subsets and "train" not in subsets:
        raise LayoutRefused(f"there is no train folder beside: {', '.join(sorted(named))}")
    subsets_inside = not has_subsets and _has_subsets_inside([steps[start:] for steps in paths])
    places: list[Place | None] = []
    problems = []
    for steps in paths:
        below = steps[start:] or steps[-1:]
        if subsets_inside and len(below) > 2:
            below = (below[1], below[0], *below[2:])
        place, reason = _place(below, has_subsets or subsets_inside)
        places.append(place)
        if reason and looks_like_image(below[-1]):
            problems.append(Problem("/".join(steps), reason))
    return places, problems


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that orders names as people do: 2 before 10, upper and lower case alike."""
    words = re.split(r"(\d{1,40})", name.casefold())  # Python refuses to parse numbers of thousands of digits
    key = [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words if word]
    return [*key, (2, 0, name)]


def _place(steps: Steps, has_subsets: bool) -> tuple[Place | None, str]:
    if not has_subsets:
        return (Place(None, steps[0]), "") if len(steps) > 1 else (None, "lies in no class folder")
    subset = subset_of(steps[0])
    if len(steps) > 3 and subset is not None and subset_of(steps[1]) == subset:
        steps = steps[1:]  # seg_train/seg_train/forest/1.jpg
    if subset is None or len(steps) == 1:
        return None, "lies outside the train, validation and test folders"
    return (Place(subset, steps[1]), "") if len(steps) > 2 else (None, "lies in no class folder")


def _has_subsets_inside(paths: Sequence[Steps]) -> bool:
    """Return whether every class folder contains the sets, as in cat/train/1.png."""
    images = [steps for steps in paths if steps and looks_like_image(steps[-1])]
    if not all(len(steps) > 2 and subset_of(steps[1]) for steps in images):
        return False
    return {"train", "test"} <= {subset_of(steps[1]) for steps in images}


def _wrapping_folders(paths: Sequence[Steps]) -> int:
    """Return how many folders surround everything, without a set's or a lone class's own."""
    images = [steps for steps in paths if looks_like_image(steps[-1])] or list(paths)
    start = 0
    while images:
        tops = {steps[start] for steps in images}
        if len(tops) > 1 or min(map(len, images)) < start + 3 or subset_of(next(iter(tops))):
            break
        start += 1
    return start


def looks_like_image(name: str) -> bool:
    """Return whether a file's name has the suffix of an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)
