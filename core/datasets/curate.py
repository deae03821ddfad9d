"""What a person may change about a dataset after its import. The files it was made of are never touched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.datasets import check_known, load, store
from core.datasets.records import PARTS, DatasetInfo
from core.settings import get_settings

Rows = Sequence[int] | np.ndarray


def leave_out(name: str, rows: Rows) -> DatasetInfo:
    """Leave images out of every part. Raises DatasetError when too little would remain."""
    _check(name)
    return store.change(name, lambda edits: edits.leave_out(rows))


def take_back(name: str, rows: Rows) -> DatasetInfo:
    """Undo `leave_out` for these images."""
    _check(name)
    return store.change(name, lambda edits: edits.take_back(rows))


def merge_classes(name: str, one: str, other: str) -> DatasetInfo:
    """Count the images of class `one` as class `other`. Raises DatasetError for classes that do not exist."""
    _check(name)
    return store.change(name, lambda edits: edits.merge(one, other))


def put_in_one_part(name: str, rows: Rows, part: str | None = None) -> DatasetInfo:
    """Put images that belong together in one part.

    Default: the test part when one of them is there (nothing is taken from it), else the validation part when
    one is there, else the training part.
    """
    _check(name)
    if part is None:
        part = PARTS[int(load(name).parts[np.asarray(rows)].max())]
    groups = load(name).groups
    if groups is not None:  # the rest of their groups comes along, or it would leak
        rows = np.flatnonzero(np.isin(groups, groups[np.asarray(rows)]))
    chosen = part
    return store.change(name, lambda edits: edits.move(rows, chosen))


def undo_all(name: str) -> DatasetInfo:
    """Bring the dataset back as it was imported."""
    _check(name)
    return store.undo_edits(name)


def _check(name: str) -> None:
    get_settings().require_trainer("change datasets")
    check_known(name)
