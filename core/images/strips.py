"""Process large images strip by strip, so that no step takes a multiple of an image's memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

PIXELS = 1 << 20  # of a strip


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of an image of a size, from top to bottom; all at once for a small one."""
    step = max(1, PIXELS // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def image_strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the rows of an image, and their pixels."""
    image.load()
    for rows in strips(image.height, image.width):
        whole = rows == slice(0, image.height)
        yield rows, image if whole else image.crop((0, rows.start, image.width, rows.stop))


def array(image: Image.Image) -> np.ndarray:
    """Return the pixels of an image; `numpy.asarray` would take twice their size in addition."""
    found: np.ndarray | None = None
    for rows, strip in image_strips(image):
        piece = np.asarray(strip)
        if found is None:
            found = np.empty((image.height, *piece.shape[1:]), piece.dtype)
        found[rows] = piece
    assert found is not None
    return found
