"""Describe the split of a config, in counts and sentences, before a launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.config import DataConfig
from core.datasets import load, store
from core.datasets.choices import rule_of, split_for
from core.datasets.records import SUBSETS, DatasetInfo, ImageDataset, digest_keys
from core.datasets.splits import hold_out
from core.datasets.together import Rule, linked

TRAIN, VALIDATION, TEST = range(3)
SETS = ("training", "validation", "test")
ALIKE: dict[Rule, str] = {"identical": "identical images", "near": "identical and nearly identical images"}


@dataclass(frozen=True)
class SplitReport:
    """The split of a config.

    Args:
        counts: images of each class in each set; repeated training images count as often as they are drawn.
        notes: sentences for information.
        warnings: sentences about what weakens the meaning of a result.
    """

    counts: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def total(self, subset: str) -> int:
        """Return how many images a set has."""
        return sum(self.counts[subset])


def report_of(name: str, fingerprint: str, data: DataConfig) -> SplitReport:
    """Return the report of a stored dataset; cached. fingerprint: of the dataset in its present state."""
    return _report_of(store.folder_of(name), fingerprint, data.model_copy(update={"preprocessing": "scale"}))


@lru_cache(maxsize=64)
def _report_of(folder: Path, fingerprint: str, data: DataConfig) -> SplitReport:
    return report(load(data.name), data)


def sentences(dataset: ImageDataset, data: DataConfig) -> tuple[str, ...]:
    """Return all sentences of a report, for a log; warnings last."""
    found = report_of(dataset.info.name, dataset.info.fingerprint, data)
    return (*found.notes, *(f"warning: {sentence}" for sentence in found.warnings))


def report(dataset: ImageDataset, data: DataConfig) -> SplitReport:
    """Split a dataset as a config asks for, and report on it."""
    info, rule = dataset.info, rule_of(dataset.info, data)
    split = split_for(dataset, data)
    counts = {
        subset: tuple(np.bincount(dataset.labels[rows], minlength=info.num_classes).tolist())
        for subset, rows in vars(split).items()
    }
    sets = np.full(len(dataset), -1)
    for code, subset in enumerate(SUBSETS):
        sets[getattr(split, subset)] = code
    moved = split_for(dataset, data.model_copy(update={"imbalance": "as_is"}))
    before = split_for(dataset, data.model_copy(update={"imbalance": "as_is"}), "groups")
    count = len(np.setxor1d(moved.validation, before.validation))
    notes = _overruled(info, data)
    notes += [moved_sentence(count, rule)] if count else []
    notes += _training_copies(dataset, split.train)
    warnings = [*_shared(dataset, sets, rule), *_shared_groups(dataset, sets)]
    warnings += _too_few(info.classes, counts, data)
    return SplitReport(counts, tuple(notes), tuple(warnings))


def _overruled(info: DatasetInfo, data: DataConfig) -> list[str]:
    """Return the given settings that do not change the split, with what decides instead."""
    if data.folds:
        settings = ["validation_fraction"]
        reason = f"data.folds cuts the dataset into {data.folds} folds"
    elif count := info.subset_size("validation"):
        settings = ["validation_fraction", "split_seed", "keep_together"]
        images = "1 image" if count == 1 else f"{count:,} images"
        reason = f"'{info.name}' brings its own validation set of {images}"
    else:
        return []
    defaults, given = DataConfig().model_dump(), data.model_dump()
    changed = [name for name in settings if given[name] != defaults[name]]
    if not changed:
        return []
    *names, last = (f"data.{name}" for name in changed)
    listed = f"{', '.join(names)} and {last}" if names else last
    verb = "do" if names else "does"
    received = ", ".join(str(given[name]) for name in changed)
    return [f"{reason}, so {listed} {verb} not change the split. Received: {received}."]


def moved_sentence(count: int, rule: Rule) -> str:
    """Say how many images are in another set than a split by class alone would have put them in."""
    verb = "image is" if count == 1 else "images are"
    return f"{count:,} {verb} in another set than by chance alone, so that {ALIKE[rule]} stay together."


def hold_out_test(
    labels: np.ndarray,
    groups: np.ndarray | None,
    digests: np.ndarray,
    pool: np.ndarray,
    fraction: float,
    seed: int,
    near: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Choose the test set of a dataset that has none.

    Args:
        labels: int64 `(N,)`, of all images.
        groups: `(N,)` or None, of all images.
        digests: `(N,)`, of all images.
        pool: int64 `(n,)`, rows that may be chosen.
        fraction: of every class, 0 to 1.
        seed: of the random order.
        near: int64 `(P, 2)`, rows that look the same and are to stay together; None: only identical ones.

    Returns:
        The rows that are held out, and notes for the user.
    """
    if near is not None:
        position = np.full(len(labels), -1, np.int64)
        position[pool] = np.arange(len(pool))
        near = position[near]
        near = near[(near >= 0).all(axis=1)]
    own = None if groups is None else groups[pool]
    together = linked(len(pool), own, digests[pool], near)
    held_out = hold_out(labels[pool], own, fraction, seed, units=together)
    by_group = None if own is None else linked(len(pool), own, None)
    moved = int((held_out != hold_out(labels[pool], own, fraction, seed, units=by_group)).sum())
    told = f"{held_out.sum():,} of {len(pool):,} images are held out"
    if own is not None:
        told += ", in whole groups"
    notes = [f"No test set was given: {told} ({fraction:.0%} of every class were asked for, seed {seed})."]
    trained = np.bincount(labels[pool[~held_out]], minlength=labels.max() + 1)
    tested = np.bincount(labels[pool[held_out]], minlength=labels.max() + 1)
    missing = int(((trained > 0) & (tested == 0)).sum())
    if missing:
        notes.append(
            f"{_classes(missing)} no image in the test set: what cannot be divided is trained on, such as a "
            "single image."
        )
    if moved:
        notes.append(moved_sentence(moved, "identical" if near is None else "near"))
    return pool[held_out], tuple(notes)


def _training_copies(dataset: ImageDataset, rows: np.ndarray) -> list[str]:
    rows = np.unique(rows)
    keys = digest_keys(dataset.digests[rows])
    copies = len(keys) - len(np.unique(keys))
    if not copies:
        return []
    verb = "training image is a copy" if copies == 1 else "training images are copies"
    return [f"{copies:,} of {len(rows):,} {verb} of others: what occurs several times counts several times."]


def _shared(dataset: ImageDataset, sets: np.ndarray, rule: Rule) -> list[str]:
    """Report images of the validation and test set that other sets contain too."""
    rows = np.flatnonzero(sets >= 0)
    copies = digest_keys(dataset.digests[rows])
    if rule == "near":
        ungrouped = linked(len(rows), None, dataset.digests[rows], _positions(dataset, rows))
        copies = copies if ungrouped is None else ungrouped
    where = sets[rows]
    found = []
    for code, others in ((VALIDATION, (TRAIN,)), (TEST, (TRAIN, VALIDATION))):
        own = copies[where == code]
        for other in others:
            count = int(np.isin(own, copies[where == other]).sum())
            if count:
                verb = "is" if count == 1 else "are"
                what = "identical" if rule == "identical" else "identical or nearly identical"
                found.append(
                    f"{count:,} of {len(own):,} {SETS[code]} images {verb} {what} to {SETS[other]} images, "
                    f"so the {SETS[code]} accuracy is too high. The Data page can put copies in one set."
                )
    return found


def _positions(dataset: ImageDataset, rows: np.ndarray) -> np.ndarray:
    from core.datasets.duplicates import near_pairs

    position = np.full(len(dataset), -1, np.int64)
    position[rows] = np.arange(len(rows))
    pairs = position[near_pairs(dataset)]
    return pairs[(pairs >= 0).all(axis=1)]


def _shared_groups(dataset: ImageDataset, sets: np.ndarray) -> list[str]:
    """Report named groups that are in the training set and in another one."""
    if dataset.groups is None:
        return []
    found = []
    for code in (VALIDATION, TEST):
        shared = np.intersect1d(dataset.groups[sets == TRAIN], dataset.groups[sets == code])
        if len(shared):
            what = f"group '{shared[0]}' lies" if len(shared) == 1 else f"{len(shared):,} groups lie"
            found.append(
                f"{what[0].upper()}{what[1:]} in the training set and in the {SETS[code]} set, so the "
                f"{SETS[code]} accuracy is too high. The Data page can put a group in one set."
            )
    return found


def _too_few(classes: Sequence[str], counts: dict[str, tuple[int, ...]], data: DataConfig) -> list[str]:
    """Report sets that are empty or lack classes."""
    found = []
    present = np.sum([counts[subset] for subset in SUBSETS], axis=0) > 0
    wanted = {"train": True, "validation": bool(data.folds or data.validation_fraction), "test": True}
    for name, subset in zip(SETS, SUBSETS, strict=True):
        lacking = np.flatnonzero((np.array(counts[subset]) == 0) & present)
        total = sum(counts[subset])
        if not wanted[subset] and not total:
            continue
        consequence = {
            "train": "the model cannot learn them",
            "validation": "the validation accuracy says nothing about them",
            "test": "the test accuracy says nothing about them",
        }[subset]
        if not total:
            found.append(f"The {name} set is empty.")
        elif len(lacking):
            found.append(
                f"{_classes(len(lacking))} no image among the {total:,} of the {name} set, for example "
                f"'{classes[lacking[0]]}': {consequence}."
            )
    return found


def _classes(count: int) -> str:
    return "1 class has" if count == 1 else f"{count:,} classes have"
