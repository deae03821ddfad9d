"""A dataset on disk: `<datasets>/<name>/` with images.npy, index.parquet and manifest.json.

A dataset is written in a hidden folder beside its place and renamed at the end, so there is never half of
one. A folder left by a killed process is removed by the next import, which knows it by its free lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np

from core.config.text import shortened
from core.datasets import edits
from core.datasets.records import (
    Arrays,
    DatasetDamaged,
    DatasetError,
    DatasetInfo,
    ImageDataset,
    Shape,
    count_subsets,
)
from core.datasets.value_range import IMAGE
from core.system.files import parse_object
from core.system.settings import get_settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMAGES, INDEX, MANIFEST = "images.npy", "index.parquet", "manifest.json"
DRAFT, REPLACED, LOCK = ".importing-", ".replaced-", ".lock"
HEADER_BYTES = 128
DIGEST_BYTES = 16


class NameTaken(Exception):
    """A dataset of this name exists, and nobody asked for it to be replaced."""


def check_name(name: str) -> None:
    """Raise DatasetError when the name cannot name a dataset: it must never be a path."""
    if not NAME.fullmatch(name):
        raise DatasetError(
            "A dataset's name must be 1 to 64 letters, digits, '-', '_' or '.', beginning with a letter or "
            f"digit. Received: {shortened(name)}."
        )


def folder_of(name: str) -> Path:
    """Where the dataset lies or would lie. Raises DatasetError for a name that cannot be one."""
    check_name(name)
    return get_settings().datasets / name


def exists(name: str) -> bool:
    """Whether a prepared or imported dataset has this name."""
    return (folder_of(name) / MANIFEST).is_file()


def stored_names() -> list[str]:
    """Names of the datasets on disk, in alphabetical order."""
    root = get_settings().datasets
    if not root.is_dir():
        return []
    return sorted(f.name for f in root.iterdir() if NAME.fullmatch(f.name) and (f / MANIFEST).is_file())


def files_state() -> tuple[tuple[str, str, int, int, int], ...]:
    """What changes whenever a dataset is imported, edited, replaced or deleted; cheaper than reading all.

    Of each manifest and file of edits: dataset, file, inode, time of its last change in ns, bytes.
    """
    found = []
    for name in stored_names():
        for file in (MANIFEST, edits.EDITS):
            with suppress(OSError):  # no edits, or it was deleted just now
                stat = (folder_of(name) / file).stat()
                found.append((name, file, stat.st_ino, stat.st_ctime_ns, stat.st_size))
    return tuple(found)


def read_info(name: str) -> DatasetInfo:
    """The manifest alone, with the edits. Raises DatasetError when one of them is damaged."""
    return edits.edited_info(_manifest(name), folder_of(name))


def read_dataset(name: str) -> ImageDataset:
    """The dataset with its edits, images mapped from disk. Raises DatasetError when a file is damaged."""
    folder = folder_of(name)
    made = edits.read(folder)
    dataset = read_imported(name)
    return replace(made.apply(dataset), info=read_info(name)) if made else dataset


def change(name: str, edit: Callable[[edits.Edits], edits.Edits]) -> DatasetInfo:
    """Edit a dataset. Raises DatasetError, and changes nothing, when the edit leaves no dataset."""
    folder = folder_of(name)
    with _locked(folder.parent / LOCK):
        made = edit(edits.read(folder))
        result = made.apply(read_imported(name))
        info = result.info
        changed = fingerprint(info.shape, info.classes, result.labels, result.subsets, list(result.digests))
        edits.write(folder, made, replace(info, fingerprint=changed))
    return read_info(name)


def has_edits(name: str) -> bool:
    """Whether somebody changed the dataset since its import."""
    return (folder_of(name) / edits.EDITS).exists()


def undo_edits(name: str) -> DatasetInfo:
    """Bring the dataset back as it was imported."""
    folder = folder_of(name)
    with _locked(folder.parent / LOCK):
        (folder / edits.EDITS).unlink(missing_ok=True)
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
    """What is wrong with a file, in one line and without its path."""
    text = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__


def read_imported(name: str) -> ImageDataset:
    """The dataset as it was imported, without edits. Raises DatasetError when a file is damaged."""
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


def write_index(
    folder: Path,
    *,
    labels: np.ndarray,
    subsets: np.ndarray,
    source_names: Sequence[str],
    groups: Sequence[str] | None,
    sizes: np.ndarray,
    digests: Sequence[bytes],
) -> None:
    """Write what is known about every image; see ImageDataset for the columns."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = {
        "source": pa.array(source_names, pa.string()),
        "label": pa.array(labels, pa.int64()),
        "part": pa.array(subsets, pa.int8()),
        "group": pa.array(groups if groups is not None else [None] * len(labels), pa.string()),
        "height": pa.array(sizes[:, 0], pa.int32()),
        "width": pa.array(sizes[:, 1], pa.int32()),
        "digest": pa.array(digests, pa.binary(DIGEST_BYTES)),
    }
    parquet.write_table(pa.table(columns), folder / INDEX)


def write_manifest(folder: Path, info: DatasetInfo) -> DatasetInfo:
    """Write the manifest, stamped with the time. Returns the info as written."""
    stamped = replace(info, created=datetime.now(UTC).isoformat(timespec="seconds"))
    (folder / MANIFEST).write_text(json.dumps(stamped.to_dict(), indent=1), encoding="utf-8")
    return stamped


def write_arrays(folder: Path, info: DatasetInfo, arrays: Arrays) -> DatasetInfo:
    """Write a dataset that is in memory; counts, shape and fingerprint of `info` are filled in."""
    images = np.ascontiguousarray(arrays.images, dtype=np.uint8)
    labels = np.asarray(arrays.labels, dtype=np.int64)
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    digests = [pixel_digest(image) for image in images]
    np.save(folder / IMAGES, images, allow_pickle=False)
    write_index(
        folder,
        labels=labels,
        subsets=arrays.subsets,
        source_names=arrays.source_names,
        groups=None,
        sizes=np.tile(np.array(shape[:2], np.int32), (len(labels), 1)),
        digests=digests,
    )
    info = replace(
        info,
        shape=shape,
        counts=count_subsets(labels, arrays.subsets, len(info.classes)),
        fingerprint=fingerprint(shape, info.classes, labels, arrays.subsets, digests),
        prepared=True,
        value_range=IMAGE,
    )
    return write_manifest(folder, info)


def pixel_digest(image: np.ndarray) -> bytes:
    """A digest of one image's pixels: uint8 `(H, W, C)`, contiguous."""
    return blake2b(image.data, digest_size=DIGEST_BYTES).digest()


def fingerprint(
    shape: Shape, classes: Sequence[str], labels: np.ndarray, subsets: np.ndarray, digests: Sequence[bytes]
) -> str:
    """32 hexadecimal digits that change with any pixel, label, set, class name or the order of images."""
    total = blake2b(json.dumps([list(shape), list(classes)]).encode(), digest_size=16)
    total.update(labels.astype("<i8").tobytes())
    total.update(subsets.astype("i1").tobytes())
    total.update(b"".join(digests))
    return total.hexdigest()


def allocate_images(path: Path, count: int, shape: Shape) -> None:
    """Make an .npy file of that many images. Raises OSError when the disk has no room for them.

    The room is reserved where the system can, so that it is known before the decoding and not after.
    """
    with open(path, "wb") as file:
        _write_header(file, count, shape)
        file.truncate(HEADER_BYTES + count * int(np.prod(shape)))
        if count and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), HEADER_BYTES, count * int(np.prod(shape)))


def keep_rows(path: Path, rows: np.ndarray, shape: Shape) -> None:
    """Keep only these ascending rows of an .npy file that `allocate_images` made, in place."""
    images = np.load(path, mmap_mode="r+", allow_pickle=False)
    for start in range(0, len(rows), 1024):
        chunk = rows[start : start + 1024]
        images[start : start + len(chunk)] = images[chunk]  # fancy indexing copies before it writes
    images.flush()
    del images
    with open(path, "r+b") as file:
        _write_header(file, len(rows), shape)
        file.truncate(HEADER_BYTES + len(rows) * int(np.prod(shape)))


def _write_header(file: IO[bytes], count: int, shape: Shape) -> None:
    """The NPY header (format version 1.0), always HEADER_BYTES long, so that it can be written again."""
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, *shape)!r}, }}"
    length = HEADER_BYTES - 10
    file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little"))
    file.write(words.ljust(length - 1).encode("latin1") + b"\n")


@contextmanager
def draft(name: str, *, overwrite: bool) -> Iterator[Path]:
    """A folder to write a dataset in; it becomes the dataset when the block ends without an exception.

    overwrite: replace a dataset of the same name, at the end; otherwise NameTaken is raised.
    Raises OSError when the datasets folder cannot be written.
    """
    target = folder_of(name)
    root = target.parent
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / LOCK):
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{name}-", dir=root))
        life = _lock(folder / LOCK)
    try:
        yield folder
        with _locked(root / LOCK):
            (folder / LOCK).unlink()
            folder.chmod(0o755)  # a temporary folder is its owner's alone
            _publish(folder, target, overwrite)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        life.close()


def delete(name: str) -> None:
    """Remove a dataset from disk: out of sight at once, then its files."""
    target = folder_of(name)
    with _locked(target.parent / LOCK):
        hidden = Path(tempfile.mkdtemp(prefix=DRAFT, dir=target.parent))
        target.rename(hidden / name)
    shutil.rmtree(hidden, ignore_errors=True)


def _publish(folder: Path, target: Path, overwrite: bool) -> None:
    if not target.exists():
        folder.rename(target)
        return
    if not overwrite and (target / MANIFEST).is_file():
        raise NameTaken(target.name)
    old = target.with_name(REPLACED + target.name)
    target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what killed processes left; put back a dataset whose replacement never arrived."""
    for folder in root.glob(DRAFT + "*"):
        try:
            life = _lock(folder / LOCK)
        except (BlockingIOError, FileNotFoundError):
            continue  # somebody is importing right now, or has just ended
        shutil.rmtree(folder, ignore_errors=True)
        life.close()
    for folder in root.glob(REPLACED + "*"):
        target = root / folder.name.removeprefix(REPLACED)
        if target.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.rename(target)


def _lock(path: Path) -> IO[bytes]:
    """Hold a lock until the file is closed or the process dies. Raises BlockingIOError when it is held."""
    file = open(path, "ab")  # noqa: SIM115 - held longer than a block
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
