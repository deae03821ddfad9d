"""The file of a dataset's images: an NPY array uint8 `(N, H, W, C)` of known size, written in place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import numpy as np

from core.images.target import Shape

HEADER_BYTES = 128  # as NumPy writes it for up to 10^9 images of any size


def allocate_images(path: Path, count: int, shape: Shape) -> None:
    """Create an NPY file for `count` images. Raises OSError when the disk has no room for them.

    The space is reserved where the system can, so that a full disk is known before decoding begins.
    """
    with open(path, "wb") as file:
        _write_header(file, count, shape)
        file.truncate(HEADER_BYTES + count * int(np.prod(shape)))
        if count and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), HEADER_BYTES, count * int(np.prod(shape)))


def keep_rows(path: Path, rows: np.ndarray, shape: Shape) -> None:
    """Keep only these ascending rows of an NPY file that `allocate_images` created, in place."""
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
    """Write the NPY header. NumPy pads it, so that one for fewer images takes the same bytes."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)
    assert file.tell() == HEADER_BYTES, file.tell()
