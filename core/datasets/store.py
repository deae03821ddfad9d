"""Read and edit a dataset on disk: `<datasets>/<name>/` with images.npy, index.parquet and manifest.json.

`core.datasets.drafts` and `core.datasets.store_write` write one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from core.datasets import edits
from core.datasets.records import (
    DatasetDamaged,
    DatasetError,
    DatasetInfo,
    ImageDataset,
)
from core.images.digests import fingerprint
from core.system.files import parse_object
from core.system.settings import get_settings
from core.system.text import shortened

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMAGES, INDEX, MANIFEST = "images.npy", "index.parquet", "manifest.json"
VERSIONS = 1000  # fingerprints of earlier versions that are kept
LOCK = ".lock"  # of the datasets folder; and of a draft, while its import runs


def check_name(name: str) -> None:
    """Raise DatasetError when the name cannot name a dataset: it must never be a path."""
    if not NAME.fullmatch(name):
        raise DatasetError(
            "A dataset's name must be 1 to 64 letters, digits, '-', '_' or '.', beginning with a letter or "
            f"digit. Received: {shortened(name)}."
        )


def folder_of(name: str) -> Path:
    """Return the folder of a dataset, which need not exist. Raises DatasetError for an invalid name."""
    check_name(name)
    return get_settings().datasets / name


def exists(name: str) -> bool:
    """Return whether a prepared or imported dataset has this name."""
    return (folder_of(name) / MANIFEST).is_file()


def stored_names() -> list[str]:
    """Return the names of the datasets on disk, in alphabetical order."""
    root = get_settings().datasets
    if not root.is_dir():
        return []
    return sorted(f.name for f in root.iterdir() if NAME.fullmatch(f.name) and (f / MANIFEST).is_file())


def files_state() -> tuple[tuple[str, str, int, int, int], ...]:
    """Return a key that changes whenever a dataset is imported, edited, replaced or deleted.

    Cheaper than reading all datasets. One entry per manifest and file of edits: dataset, file, inode, time of
    the last change in ns, bytes.
    """
    found = []
    for name in stored_names():
        for file in (MANIFEST, edits.EDITS):
            with suppress(OSError):  # no edits, or it was deleted just now
                stat = (folder_of(name) / file).stat()
                found.append((name, file, stat.st_ino, stat.st_ctime_ns, stat.st_size))
    return tuple(found)


def read_info(name: str) -> DatasetInfo:
    """Read the manifest with the edits applied. Raises DatasetError when either is damaged."""
    return edits.edited_info(_manifest(name), folder_of(name))


def read_dataset(name: str) -> ImageDataset:
    """Read the dataset with its edits, images memory-mapped. Raises DatasetError when a file is damaged."""
    folder = folder_of(name)
    made = edits.read(folder)
    dataset = read_imported(name)
    return replace(made.apply(dataset), info=read_info(name)) if made else dataset


def change(name: str, edit: Callable[[edits.Edits], edits.Edits]) -> DatasetInfo:
    """Edit a dataset. Raises DatasetError, and changes nothing, when too little would be left of it."""
    folder = folder_of(name)
    with FileLock(folder.parent / LOCK):
        made = edit(edits.read(folder))
        result = made.apply(read_imported(name))
        info = result.info
        changed = fingerprint(info.shape, info.classes, result.labels, result.subsets, list(result.digests))
        now = read_info(name).fingerprint
        earlier = [one for one in edits.earlier_versions(folder) if one not in (now, changed)]
        earlier += [now] * (now != changed)
        edits.write(folder, made, replace(info, fingerprint=changed), earlier[-VERSIONS:])
    return read_info(name)


def has_version(name: str, fingerprint: str) -> bool:
    """Return whether a dataset has, or had at any time since its import, this fingerprint.

    Its images, and their rows, are the same then; `VERSIONS` earlier versions are known.
    """
    return exists(name) and fingerprint in (
        _manifest(name).fingerprint,
        read_info(name).fingerprint,
        *edits.earlier_versions(folder_of(name)),
    )


def import_of(name: str, fingerprint: str) -> str:
    """Return the fingerprint that a dataset was imported with, given that of a version of it.

    Versions of one import have the same images in the same rows. The fingerprint itself is returned where the
    dataset is damaged or not here, or was replaced by another import.
    """
    with suppress(DatasetError):
        if has_version(name, fingerprint):
            return _manifest(name).fingerprint
    return fingerprint


def has_edits(name: str) -> bool:
    """Return whether a file of edits is stored with the dataset; after they were undone it names versions."""
    return (folder_of(name) / edits.EDITS).exists()


def undo_edits(name: str) -> DatasetInfo:
    """Undo all edits of a dataset, also damaged ones. The versions that it had are still known after that."""
    folder = folder_of(name)
    with FileLock(folder.parent / LOCK):
        try:
            info, now, earlier = _manifest(name), read_info(name).fingerprint, edits.earlier_versions(folder)
        except DatasetError:
            (folder / edits.EDITS).unlink(missing_ok=True)
        else:
            earlier = [one for one in dict.fromkeys([*earlier, now]) if one != info.fingerprint]
            if earlier:
                edits.write(folder, edits.Edits(), info, earlier[-VERSIONS:])
    return read_info(name)


def _manifest(name: str) -> DatasetInfo:
    path = folder_of(name) / MANIFEST
    try:
        return DatasetInfo.from_dict(parse_object(path.read_text(encoding="utf-8")))
    except KeyError as error:
        raise _damaged(name, f"{MANIFEST} has no {error}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(name, f"{MANIFEST}: {_reason(error)}") from error


def _damaged(name: str, reason: str) -> DatasetDamaged:
    return DatasetDamaged(f"The dataset '{name}' cannot be read ({reason}). Delete it, or import it again.")


def _reason(error: Exception) -> str:
    """Say what is wrong with a file, in one line and without its path."""
    text = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__


def read_imported(name: str) -> ImageDataset:
    """Read the dataset as it was imported, without edits. Raises DatasetError for a damaged file."""
    import pyarrow.parquet as parquet

    folder = folder_of(name)
    info = _manifest(name)
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        table = parquet.read_table(folder / INDEX)
    except (OSError, ValueError, EOFError) as error:  # pyarrow's are these as well
        raise _damaged(name, _reason(error)) from error
    if len(images) != table.num_rows or images.shape[1:] != info.shape or images.dtype != np.uint8:
        raise _damaged(name, "its files disagree")

    def column(key: str) -> np.ndarray:
        try:
            return table.column(key).to_numpy()
        except KeyError as error:
            raise _damaged(name, f"{INDEX} has no column {error}") from error

    return ImageDataset(
        info=info,
        images=images,
        labels=column("label"),
        subsets=column("part"),
        source_names=column("source"),
        groups=column("group") if info.grouped else None,
        sizes=np.stack([column("height"), column("width")], axis=1),
        digests=column("digest"),
    )
