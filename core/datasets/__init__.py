"""Datasets by name: those that ship with the program, and imported ones.

A source is one file of this package that registers a `Source`; `core.importing.importer` imports images. Both
are stored in the same form (`core.datasets.store`) and read through this module.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from core.datasets import edits, store
from core.datasets.drafts import NameTaken, draft
from core.datasets.grey import as_grey
from core.datasets.records import (
    LEFT_OUT,
    SUBSETS,
    Arrays,
    DatasetDamaged,
    DatasetError,
    DatasetInfo,
    ImageDataset,
    Problem,
    Source,
)
from core.datasets.store_write import write_arrays
from core.registry import Registry, UnknownName
from core.system.settings import get_settings

__all__ = [
    "LEFT_OUT",
    "SUBSETS",
    "Arrays",
    "Catalogue",
    "DatasetDamaged",
    "DatasetError",
    "DatasetInfo",
    "ImageDataset",
    "Problem",
    "Source",
    "catalogue",
    "datasets",
    "info",
    "load",
    "names",
    "prepare",
    "sample",
]

datasets: Registry[Source] = Registry("dataset", __name__)


def names() -> list[str]:
    """Return the names of all datasets, registered sources and imports, in alphabetical order."""
    return sorted({*datasets.names(), *store.stored_names()})


class Catalogue(NamedTuple):
    """All datasets: `infos` of the readable ones; `damaged`: a sentence for each other one, by its name."""

    infos: list[DatasetInfo]
    damaged: dict[str, str]


def catalogue() -> Catalogue:
    """Return the `info` of every dataset. A damaged one does not prevent the others from being listed."""
    found = Catalogue([], {})
    for name in names():
        try:
            found.infos.append(info(name))
        except (DatasetError, UnknownName) as error:  # the second: it was deleted meanwhile
            found.damaged[name] = str(error)
    return found


def info(name: str) -> DatasetInfo:
    """Read the manifest of a dataset; for a source that is not prepared, what its manifest will be.

    Prepares an embedded source. Raises UnknownName with the names that exist, DatasetError if damaged.
    """
    check_known(name)
    if store.exists(name):
        try:
            return store.read_info(name)
        except DatasetDamaged:
            if not _restore(name):
                raise
            return store.read_info(name)
    source = datasets.get(name)
    return prepare(name) if source.embedded else _announced(source)


def load(name: str, *, grey: bool = False) -> ImageDataset:
    """Load a dataset, images memory-mapped; prepares a source first if necessary.

    Args:
        name: of the dataset.
        grey: convert colour images to one channel when they are read.

    Raises:
        UnknownName: no such dataset; the message has the names that exist.
        DatasetError: it is damaged or cannot be prepared.
    """
    check_known(name)
    if not store.exists(name):
        prepare(name)
    try:
        dataset = store.read_dataset(name)
    except DatasetDamaged:
        if not _restore(name):
            raise
        dataset = store.read_dataset(name)
    return as_grey(dataset) if grey else dataset


def prepare(name: str) -> DatasetInfo:
    """Write the prepared form of a source unless it exists. Raises DatasetError if that is impossible.

    Only a server with the trainer role downloads; raises NotAllowed on a read-only one.
    """
    source = datasets.get(name)
    if store.exists(name):
        return store.read_info(name)
    if not source.embedded:
        get_settings().require_trainer("download datasets")
    with suppress(NameTaken):  # another process prepared the same source meanwhile
        _write(source, overwrite=False)
    return store.read_info(name)


def _restore(name: str) -> bool:
    """Write an embedded source again if its files are damaged; edits are kept. False for other datasets."""
    if name not in datasets or not datasets.get(name).embedded:
        return False
    _write(datasets.get(name), overwrite=True)
    return True


def _write(source: Source, *, overwrite: bool) -> None:
    """Write the prepared form of a source.

    Raises DatasetError if it cannot be obtained or written, NameTaken.
    """
    arrays = source.read()
    try:
        with draft(source.name, overwrite=overwrite) as folder:
            write_arrays(folder, _announced(source), arrays)
            if store.has_edits(source.name):
                shutil.copyfile(store.folder_of(source.name) / edits.EDITS, folder / edits.EDITS)
    except OSError as error:
        reason = error.strerror or error
        raise DatasetError(
            f"The dataset '{source.name}' cannot be written to {get_settings().datasets}: {reason}."
        ) from error


def sample(
    name: str, class_index: int | None = None, count: int = 16, subset: str | None = None, seed: int = 0
) -> np.ndarray:
    """Return rows of up to `count` images to show, of one class and set or of all: int64 `(n,)`, ascending.

    The same seed gives the same images. Raises ValueError for a set that does not exist.
    """
    dataset = load(name)
    rows = dataset.indices(subset)
    if class_index is not None:
        rows = rows[dataset.labels[rows] == class_index]
    chosen = np.random.default_rng(seed).permutation(len(rows))[:count]
    return np.sort(rows[chosen])


def check_known(name: str) -> None:
    """Raise UnknownName, with the names that exist, if there is no such dataset."""
    if name not in names():
        raise UnknownName(f"Unknown dataset '{name}'. Known: {', '.join(names())}.")


def _announced(source: Source) -> DatasetInfo:
    return DatasetInfo(
        name=source.name,
        title=source.title,
        shape=source.shape,
        classes=source.classes,
        counts=source.counts,
        source="shipped with the program" if source.embedded else "downloaded by Keras",
        description=source.description,
        licence=source.licence,
        prepared=False,
    )
