"""Check the images of a dataset for problems that a user should know before training, and offer remedies."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.datasets.balance import imbalance
from core.datasets.duplicates import Duplicates, exact_duplicates
from core.datasets.records import SUBSETS, DatasetInfo, ImageDataset

LEAVE_OUT, MERGE, ONE_SET = "leave out", "merge", "put in one set"
KEEP_ONE, GATHER = "keep one of each", "put each in one set"
CHUNK = 512
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow converts to grey
EXTREME_ASPECT = 4  # ratio of the sides above which a stretched image is hardly recognisable


@dataclass(frozen=True)
class Finding:
    """One problem.

    Args:
        actions: what can be done with `rows` or, for MERGE, with `classes` (two names).
        serious: it invalidates test results.
        labels: of `rows`, where they should agree and do not.
    """

    kind: str
    sentence: str
    rows: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    serious: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Light:
    """Brightness and contrast of every image that is not left out; the arrays have the same order.

    Args:
        rows: int64 `(n,)`.
        brightness: mean grey value, float32 `(n,)`, 0-255.
        contrast: standard deviation of the grey values, float32 `(n,)`.
    """

    rows: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray

    def darkest(self, count: int = 8) -> np.ndarray:
        """Return rows of the darkest images, the darkest first."""
        return self.rows[np.argsort(self.brightness, kind="stable")[:count]]

    def brightest(self, count: int = 8) -> np.ndarray:
        """Return rows of the brightest images, the brightest first."""
        return self.rows[np.argsort(-self.brightness, kind="stable")[:count]]

    def flattest(self, count: int = 8) -> np.ndarray:
        """Return rows of the images with the least contrast, the least first."""
        return self.rows[np.argsort(self.contrast, kind="stable")[:count]]


def find_all(dataset: ImageDataset) -> list[Finding]:
    """Return all findings that need no comparison of images, the serious ones first."""
    copies = exact_duplicates(dataset)
    found = [
        *group_findings(dataset),
        *copy_findings(copies),
        *duplicate_findings(dataset, copies),
        *label_findings(dataset),
        *size_findings(dataset),
        *problem_findings(dataset.info),
    ]
    training = Finding("balance", imbalance(dataset.info.classes, dataset.info.counts["train"]))
    return [*sorted(found, key=lambda finding: not finding.serious), training]


def duplicate_findings(dataset: ImageDataset, groups: Sequence[Duplicates]) -> list[Finding]:
    """Return one finding per group of images that are, or look, the same."""
    return [_duplicate_finding(dataset.info, group) for group in groups]


def group_findings(dataset: ImageDataset) -> list[Finding]:
    """Return one finding for all named groups (patients, scenes) whose images are in several sets."""
    if dataset.groups is None:
        return []
    rows = dataset.indices()
    names, membership = np.unique(dataset.groups[rows], return_inverse=True)
    counts = np.zeros((len(names), len(SUBSETS)), np.int64)
    np.add.at(counts, (membership, dataset.subsets[rows]), 1)
    spread = np.flatnonzero((counts > 0).sum(axis=1) > 1)
    if not len(spread):
        return []
    first = spread[0]
    where = " and ".join(
        f"{count:,} in {subset}" for subset, count in zip(SUBSETS, counts[first], strict=True) if count
    )
    if len(spread) == 1:
        sentence = f"Group {names[first]!r} lies in more than one set: {where}."
    else:
        sentence = f"{len(spread):,} groups lie in more than one set, among them {names[first]!r}: {where}."
    affected = rows[np.isin(membership, spread)]
    return [Finding("group across sets", sentence, tuple(affected.tolist()), (), (GATHER,), True)]


def copy_findings(groups: Sequence[Duplicates]) -> list[Finding]:
    """Return one finding for all images that occur several times. groups: of identical images."""
    if len(groups) < 2:
        return []
    leaking = [group for group in groups if group.leaks]
    copies = sum(len(group.rows) for group in groups)
    sentence = f"{len(groups):,} images occur more than once, {copies:,} times in all"
    if leaking:
        sentence += f"; {len(leaking):,} of them in more than one set"
    else:
        sentence += "; splits and folds keep the copies together"
    rows = np.concatenate([group.rows for group in leaking or groups])  # copies side by side
    actions = (KEEP_ONE, GATHER) if leaking else (KEEP_ONE,)
    return [Finding("copies", sentence + ".", tuple(rows.tolist()), (), actions, bool(leaking))]


def label_findings(dataset: ImageDataset) -> list[Finding]:
    """Find classes that look like a mistake: with one image, missing in a set, or spelt like another."""
    info = dataset.info
    found = []
    totals = np.sum([info.counts[subset] for subset in SUBSETS], axis=0)
    for label in np.flatnonzero(totals == 1):
        rows = dataset.indices()[dataset.labels[dataset.indices()] == label]
        sentence = f"Class '{info.classes[label]}' has a single image."
        found.append(Finding("lone image", sentence, tuple(rows.tolist()), actions=(LEAVE_OUT,)))
    for subset, title in (("train", "training set"), ("test", "test set")):
        missing = [name for name, count in zip(info.classes, info.counts[subset], strict=True) if not count]
        if missing and info.subset_size(subset):
            sentence = f"{len(missing)} classes have no image in the {title}, among them '{missing[0]}'."
            found.append(
                Finding("missing class", sentence, classes=tuple(missing), serious=subset == "train")
            )
    alike = defaultdict(list)
    for name in info.classes:
        composed = unicodedata.normalize("NFC", name).casefold()
        alike[re.sub(r"[\W_]+", "", composed) or composed].append(name)
    for names in alike.values():
        for other in names[1:]:
            few, many = sorted((names[0], other), key=lambda name: totals[info.classes.index(name)])
            how = "case, spaces or signs"
            if unicodedata.normalize("NFC", few) == unicodedata.normalize("NFC", many):
                how = "their Unicode form (composed and decomposed characters)"
            sentence = f"Classes {few!r} and {many!r} differ only in {how}."
            found.append(Finding("similar names", sentence, classes=(few, many), actions=(MERGE,)))
    return found


def size_findings(dataset: ImageDataset) -> list[Finding]:
    """Find images whose original shape or size makes them hard to recognise after the import."""
    rows = dataset.indices()
    heights, widths = dataset.sizes[rows].T.astype(np.float64)
    height, width, _ = dataset.info.shape
    aspect = np.maximum(heights / widths, widths / heights)
    long = rows[aspect > EXTREME_ASPECT * max(height / width, width / height)]
    tiny = rows[(heights * 4 <= height) & (widths * 4 <= width)]
    found = []
    if len(long):
        sentence = f"{len(long):,} images have one side over {EXTREME_ASPECT} times the other."
        found.append(Finding("aspect ratio", sentence, tuple(long.tolist()), actions=(LEAVE_OUT,)))
    if len(tiny):
        sentence = f"{len(tiny):,} images were enlarged fourfold or more: they are blurred."
        found.append(Finding("tiny", sentence, tuple(tiny.tolist()), actions=(LEAVE_OUT,)))
    return found


def problem_findings(info: DatasetInfo) -> list[Finding]:
    """Return the files that were not imported, by name and reason."""
    return [Finding("not imported", f"{problem.name}: {problem.reason}.") for problem in info.problems]


def original_sizes(dataset: ImageDataset) -> list[tuple[int, int, int]]:
    """Return height, width and count of every image size before the import, the most frequent first."""
    sizes, counts = np.unique(dataset.sizes[dataset.indices()], axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(int(sizes[i, 0]), int(sizes[i, 1]), int(counts[i])) for i in order]


def light(dataset: ImageDataset) -> Light:
    """Measure brightness and contrast of every image; 60,000 images of 32×32 take about a second."""
    rows = dataset.indices()
    brightness = np.empty(len(rows), np.float32)
    contrast = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), CHUNK):
        images = dataset.images[rows[start : start + CHUNK]].astype(np.float32)
        grey = (images @ LUMA if images.shape[-1] == 3 else images).reshape(len(images), -1)
        brightness[start : start + CHUNK] = grey.mean(axis=1)
        contrast[start : start + CHUNK] = grey.std(axis=1)
    return Light(rows, brightness, contrast)


def mean_image(dataset: ImageDataset, class_index: int, subset: str | None = None) -> np.ndarray:
    """Return the mean of all images of a class: uint8 `(H, W, C)`; black without images."""
    rows = dataset.indices(subset)
    rows = rows[dataset.labels[rows] == class_index]
    total = np.zeros(dataset.info.shape, np.float64)
    for start in range(0, len(rows), CHUNK):
        total += dataset.images[rows[start : start + CHUNK]].sum(axis=0, dtype=np.float64)
    return np.round(total / max(len(rows), 1)).astype(np.uint8)


def _duplicate_finding(info: DatasetInfo, group: Duplicates) -> Finding:
    how = "are the same" if group.exact else "look the same"
    sentence = f"{len(group.rows)} images {how}"
    if group.leaks:
        sentence += f", across {' and '.join(group.subsets)}"
    if group.disagrees:
        sentence += f", under different labels: {', '.join(info.classes[label] for label in group.labels)}"
    return Finding(
        kind="duplicate" if group.exact else "near duplicate",
        sentence=sentence + ".",
        rows=tuple(group.rows.tolist()),
        actions=(LEAVE_OUT, ONE_SET) if group.leaks else (LEAVE_OUT,),
        serious=group.leaks or group.disagrees,
        labels=tuple(info.classes[label] for label in group.labels) if group.disagrees else (),
    )
