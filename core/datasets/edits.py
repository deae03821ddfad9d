"""The edits of an imported dataset: images left out, relabelled or moved to another set, classes merged.

Edits are stored beside the manifest and applied when the dataset is read. The stored images and the user's
files are never changed, and every edit can be undone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from core.datasets.records import LEFT_OUT, SUBSETS, DatasetError, DatasetInfo, ImageDataset, count_subsets
from core.system.files import parse_object, write_whole

EDITS = "edits.json"
NO_LABELS: Mapping[int, str] = {}


@dataclass(frozen=True)
class Edits:
    """The edits as they were requested; each can be undone alone.

    Args:
        left_out: rows.
        merged: class to the one that it was merged into, which may itself be merged.
        moved: row to its new set.
        relabelled: row to its new class.
        confirmed: rows whose label was doubted, and is right.
    """

    left_out: frozenset[int] = frozenset()
    merged: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[int, str] = field(default_factory=dict)
    relabelled: Mapping[int, str] = field(default_factory=dict)
    confirmed: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.left_out or self.merged or self.moved or self.relabelled or self.confirmed)

    def touches(self, row: int) -> bool:
        """Return whether this row is left out, moved, relabelled or confirmed."""
        return any(row in rows for rows in (self.left_out, self.moved, self.relabelled, self.confirmed))

    def leave_out(self, rows: Iterable[int]) -> Edits:
        """Also leave these rows out."""
        return replace(self, left_out=self.left_out | {int(row) for row in rows})

    def take_back(self, rows: Iterable[int]) -> Edits:
        """Include these rows again. Raises DatasetError for one that is not left out."""
        back = {int(row) for row in rows}
        if unknown := sorted(back - self.left_out):
            raise DatasetError(f"Image {unknown[0]} is not left out.")
        return replace(self, left_out=self.left_out - back)

    def merge(self, one: str, other: str) -> Edits:
        """Count the images of class `one` as class `other`; classes that were merged into `one` follow."""
        return replace(self, merged={**self.merged, one: other})

    def move(self, rows: Iterable[int], subset: str) -> Edits:
        """Move these rows to one set."""
        if subset not in SUBSETS:
            raise DatasetError(f"A set must be one of {', '.join(SUBSETS)}. Received: {subset!r}.")
        return replace(self, moved={**self.moved, **{int(row): subset for row in rows}})

    def gather(self, rows: Mapping[int, str]) -> Edits:
        """Move each of these rows to the set given for it."""
        return replace(self, moved={**self.moved, **rows})

    def move_back(self, rows: Iterable[int]) -> Edits:
        """Return these rows to the set that the import put them in."""
        back = {int(row) for row in rows}
        return replace(self, moved={row: subset for row, subset in self.moved.items() if row not in back})

    def relabel(self, rows: Mapping[int, str]) -> Edits:
        """Give each of these rows the class given for it; one that was left out is included again."""
        undecided = self.undecide(rows)
        new = {int(row): name for row, name in rows.items()}
        return replace(undecided, relabelled={**undecided.relabelled, **new})

    def confirm(self, rows: Iterable[int], edited: Mapping[int, str] = NO_LABELS) -> Edits:
        """Keep these rows with the labels that the import gave them; edited: as in `undecide`."""
        rows = {int(row) for row in rows}
        undecided = self.undecide(rows, edited)
        return replace(undecided, confirmed=undecided.confirmed | rows)

    def undecide(self, rows: Iterable[int], edited: Mapping[int, str] = NO_LABELS) -> Edits:
        """Undo what was decided of the labels of these rows: left out, relabelled or confirmed.

        Args:
            edited: Classes of those rows that had an edited label when they were doubted, which they get
                again; the others get the label that the import gave them.
        """
        rows = {int(row) for row in rows}
        relabelled = {row: name for row, name in self.relabelled.items() if row not in rows}
        return replace(
            self,
            left_out=self.left_out - rows,
            relabelled={**relabelled, **{int(row): name for row, name in edited.items() if int(row) in rows}},
            confirmed=self.confirmed - rows,
        )

    def restore(self, rows: Iterable[int]) -> Edits:
        """Undo all edits of these rows."""
        rows = {int(row) for row in rows}
        return self.undecide(rows).move_back(rows)

    def separate(self, one: str) -> Edits:
        """Undo the merging of class `one`."""
        if one not in self.merged:
            raise DatasetError(f"Class {one!r} is not counted as another one.")
        return replace(self, merged={name: into for name, into in self.merged.items() if name != one})

    def counted_as(self) -> dict[str, str]:
        """Return the class in which each merged class is counted in the end.

        Raises DatasetError when classes are merged in a circle.
        """
        found = {}
        for one, into in sorted(self.merged.items()):
            for _ in self.merged:
                into = self.merged.get(into, into)
            if into in self.merged:
                raise DatasetError(f"Class {one!r} cannot be merged into {self.merged[one]!r}.")
            found[one] = into
        return found

    def apply(self, dataset: ImageDataset) -> ImageDataset:
        """Return the dataset with these edits. Raises DatasetError if too little is left for a dataset."""
        info = dataset.info
        self._check(info, len(dataset))
        subsets = dataset.subsets.copy()
        for row, subset in self.moved.items():
            subsets[row] = SUBSETS.index(subset)
        subsets[list(self.left_out)] = LEFT_OUT
        given = dataset.labels.copy()
        for row, name in self.relabelled.items():
            given[row] = info.classes.index(name)
        counted = self.counted_as()
        names = [counted.get(name, name) for name in info.classes]
        kept = {names[label] for label in np.unique(given[subsets != LEFT_OUT])}
        classes = tuple(name for name in info.classes if name in kept)
        position = {name: i for i, name in enumerate(classes)}
        new_labels = np.array([position.get(name, -1) for name in names], dtype=np.int64)
        labels = new_labels[given]
        if len(classes) < 2:
            raise DatasetError(f"At least 2 classes must remain. Received: {', '.join(classes) or 'none'}.")
        if not (subsets == SUBSETS.index("train")).any():
            raise DatasetError("At least one image must remain to train on.")
        return replace(
            dataset,
            info=replace(info, classes=classes, counts=count_subsets(labels, subsets, len(classes))),
            labels=labels,
            subsets=subsets,
        )

    def sentences(self) -> tuple[str, ...]:
        """Describe the edits, to be shown with the dataset."""
        told = []
        if self.left_out:
            told.append(f"{_images(len(self.left_out), 'is', 'are')} left out.")
        told.extend(f"Class {one!r} is counted as {other!r}." for one, other in self.counted_as().items())
        if self.moved:
            told.append(f"{_images(len(self.moved), 'was', 'were')} moved to another set.")
        if self.relabelled:
            told.append(f"{_images(len(self.relabelled), 'has', 'have')} another label.")
        if self.confirmed:
            told.append(f"{_images(len(self.confirmed), 'was', 'were')} doubted and kept.")
        return tuple(told)

    def _check(self, info: DatasetInfo, count: int) -> None:
        for row in (*self.left_out, *self.moved, *self.relabelled, *self.confirmed):
            if not 0 <= row < count:
                raise DatasetError(f"Rows of '{info.name}' go from 0 to {count - 1}. Received: {row}.")
        for name in (*self.merged, *self.merged.values(), *self.relabelled.values()):
            if name not in info.classes:
                raise DatasetError(f"'{info.name}' has no class {name!r}.")


def read(folder: Path) -> Edits:
    """Read the edits of the dataset in a folder; empty ones without a file."""
    path = folder / EDITS
    if not path.exists():
        return Edits()
    try:
        values = parse_object(path.read_text(encoding="utf-8"))
        return Edits(
            frozenset(values["left_out"]),
            dict(values["merged"]),
            {int(row): subset for row, subset in values["moved"].items()},
            {int(row): name for row, name in values.get("relabelled", {}).items()},
            frozenset(values.get("confirmed", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def edited_info(info: DatasetInfo, folder: Path) -> DatasetInfo:
    """Return the manifest's info with the edits applied, without reading the dataset."""
    path = folder / EDITS
    if not path.exists():
        return info
    try:
        values = parse_object(path.read_text(encoding="utf-8"))
        return replace(
            info,
            classes=tuple(values["classes"]),
            counts={subset: tuple(values["counts"][subset]) for subset in SUBSETS},
            fingerprint=values["fingerprint"],
            notes=info.notes + read(folder).sentences(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def earlier_versions(folder: Path) -> list[str]:
    """Return the fingerprints of the versions before the present edits, the latest last."""
    path = folder / EDITS
    if not path.exists():
        return []
    try:
        return [str(one) for one in parse_object(path.read_text(encoding="utf-8")).get("earlier", ())]
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error


def write(folder: Path, edits: Edits, info: DatasetInfo, earlier: Sequence[str] = ()) -> None:
    """Store the edits and the resulting info atomically. earlier: fingerprints of the versions before."""
    values = {
        "classes": info.classes,
        "counts": dict(info.counts),
        "fingerprint": info.fingerprint,
        "left_out": sorted(edits.left_out),
        "merged": dict(edits.merged),
        "moved": {str(row): subset for row, subset in edits.moved.items()},
        "relabelled": {str(row): name for row, name in edits.relabelled.items()},
        "confirmed": sorted(edits.confirmed),
        "earlier": list(earlier),
    }
    write_whole(folder / EDITS, json.dumps(values))


def _images(count: int, one: str, several: str) -> str:
    return f"1 image {one}" if count == 1 else f"{count:,} images {several}"


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"The edits {path} are damaged ({error}). Undo all edits, or remove the file.")
