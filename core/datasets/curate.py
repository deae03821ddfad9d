"""Edit a dataset after its import. The files that it was imported from are never touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.datasets import check_known, load, store
from core.datasets.duplicates import exact_duplicates
from core.datasets.edits import NO_LABELS, Edits
from core.datasets.records import SUBSETS, DatasetInfo, ImageDataset
from core.datasets.together import units
from core.system.settings import get_settings

Rows = Sequence[int] | np.ndarray


def leave_out(name: str, rows: Rows) -> DatasetInfo:
    """Leave images out of every set. Raises DatasetError if too few would remain."""
    _check(name)
    return store.change(name, lambda edits: edits.leave_out(rows))


def take_back(name: str, rows: Rows) -> DatasetInfo:
    """Undo `leave_out` for these images. Raises DatasetError for one that is not left out."""
    _check(name)
    return store.change(name, lambda edits: edits.take_back(rows))


def relabel(name: str, rows: Mapping[int, str]) -> DatasetInfo:
    """Give images another class, by row. Raises DatasetError for a class that does not exist."""
    _check(name)
    return store.change(name, lambda edits: edits.relabel(rows))


def confirm(name: str, rows: Rows, doubted: Mapping[int, str] = NO_LABELS) -> DatasetInfo:
    """Keep doubted images with the labels that they had when they were doubted.

    doubted: Those labels by row; default: the labels that they were imported with.
    """
    _check(name)
    return store.change(name, lambda edits: edits.confirm(rows, _edited(name, edits, doubted)))


def leave_out_doubted(name: str, rows: Rows, doubted: Mapping[int, str] = NO_LABELS) -> DatasetInfo:
    """Leave doubted images out, whatever was decided of them before. doubted: as in `confirm`."""
    _check(name)
    return store.change(
        name, lambda edits: edits.undecide(rows, _edited(name, edits, doubted)).leave_out(rows)
    )


def undecide(name: str, rows: Rows, doubted: Mapping[int, str] = NO_LABELS) -> DatasetInfo:
    """Undo what was decided of the labels of images: left out, relabelled or confirmed.

    doubted: as in `confirm`; images get these labels again.
    """
    _check(name)
    return store.change(name, lambda edits: edits.undecide(rows, _edited(name, edits, doubted)))


def merge_classes(name: str, one: str, other: str) -> DatasetInfo:
    """Count the images of class `one` as class `other`. Raises DatasetError for classes that do not exist."""
    _check(name)
    return store.change(name, lambda edits: edits.merge(one, other))


def unmerge_class(name: str, class_name: str) -> DatasetInfo:
    """Undo `merge_classes` for a class that was counted as another."""
    _check(name)
    return store.change(name, lambda edits: edits.separate(class_name))


def put_in_one_set(name: str, rows: Rows, subset: str | None = None) -> DatasetInfo:
    """Move images that belong together to one set, with the rest of their groups and their identical copies.

    subset: default: the test set if one of them is in it, so that nothing is taken from it; else the
        validation set if one is in it; else the training set.
    """
    _check(name)
    dataset = load(name)
    numbers, members = _units(dataset)
    rows = members[np.isin(numbers, numbers[np.isin(members, rows)])] if len(members) else np.asarray(rows)
    chosen = SUBSETS[int(dataset.subsets[rows].max())] if subset is None else subset
    return store.change(name, lambda edits: edits.move(rows, chosen))


def gather(name: str) -> DatasetInfo:
    """Move every group and every set of identical images that several sets share to one of them.

    The test set if some of it is there, else the validation set.
    """
    _check(name)
    dataset = load(name)
    numbers, members = _units(dataset)
    subsets = dataset.subsets[members]
    target = np.full(numbers.max(initial=-1) + 1, -1, subsets.dtype)
    np.maximum.at(target, numbers, subsets)
    moved = np.flatnonzero(target[numbers] != subsets)
    chosen = {int(members[i]): SUBSETS[int(target[numbers[i]])] for i in moved}
    return store.change(name, lambda edits: edits.gather(chosen))


def move_back(name: str, rows: Rows) -> DatasetInfo:
    """Undo `put_in_one_set` and `gather` for these images."""
    _check(name)
    return store.change(name, lambda edits: edits.move_back(rows))


def restore(name: str, rows: Rows) -> DatasetInfo:
    """Undo all edits of these images."""
    _check(name)
    return store.change(name, lambda edits: edits.restore(rows))


def kept_of(dataset: ImageDataset, rows: Rows) -> int:
    """Return the copy that is kept by default: one of the test set if any, then the first."""
    return max((int(row) for row in rows), key=lambda row: (dataset.subsets[row], -row))


def keep_one_of_each(name: str) -> DatasetInfo:
    """Leave out all but one of every set of identical images that have one label.

    Copies with different labels are not touched: only a person can decide which label is right.
    """
    _check(name)
    dropped = spare_copies(load(name))
    return store.change(name, lambda edits: edits.leave_out(dropped))


def spare_copies(dataset: ImageDataset) -> list[int]:
    """Return the rows that `keep_one_of_each` leaves out."""
    dropped: list[int] = []
    for group in exact_duplicates(dataset):
        if not group.disagrees:
            kept = kept_of(dataset, group.rows)
            dropped.extend(row for row in group.rows.tolist() if row != kept)
    return dropped


def undo_all(name: str) -> DatasetInfo:
    """Undo all edits of a dataset."""
    _check(name)
    return store.undo_edits(name)


def _edited(name: str, edits: Edits, labels: Mapping[int, str]) -> dict[int, str]:
    """Return those of some labels that are not what the import gave, with the classes merged since."""
    if not labels:
        return {}
    imported, counted = store.read_imported(name), edits.counted_as()
    classes = [counted.get(one, one) for one in imported.info.classes]
    return {
        row: label
        for row, label in labels.items()
        if counted.get(label, label) != classes[imported.labels[row]]
    }


def _units(dataset: ImageDataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the unit that each image belongs to, and its row.

    Without images that are left out.
    """
    rows = dataset.indices()
    numbers = units(dataset, rows, "identical")
    return (np.arange(len(rows)) if numbers is None else numbers), rows


def _check(name: str) -> None:
    get_settings().require_trainer("change datasets")
    check_known(name)
