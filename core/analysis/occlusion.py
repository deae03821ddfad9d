"""Which parts of an image an answer hangs on: covered by a patch, they take the class its probability.

It needs no gradients, so every model that answers can be asked. Source: M. Zeiler and R. Fergus, "Visualizing
and understanding convolutional networks" (arXiv:1311.2901), section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np

SHARE = 5  # the patch is a fifth of the image's height and width
SMALL_PX, PLACES_OF_SMALL, PLACES = (
    64,
    12,
    8,
)  # places of the patch along a side, at most; large models are slow
AT_ONCE, PIXELS_AT_ONCE = 64, 8 * 224 * 224  # covered images in memory


@dataclass(frozen=True)
class Places:
    """Where the patch lies, one place after the other.

    Attributes:
        size: Height and width of the patch in pixels.
        corners: Top and left of each place; outside of the image where it covers an edge in part.
    """

    size: tuple[int, int]
    corners: tuple[tuple[int, int], ...]


def places(height: int, width: int) -> Places:
    """Choose size and places of the patch for an image: they overlap, and edges are covered as often."""
    most = PLACES_OF_SMALL if max(height, width) <= SMALL_PX else PLACES
    sizes, starts = [], []
    for side in (height, width):
        size = max(1, round(side / SHARE))
        stride = ceil((side + size) / (most + 1))
        sizes.append(size)
        starts.append(range(stride - size, side, stride))
    return Places((sizes[0], sizes[1]), tuple((top, left) for top in starts[0] for left in starts[1]))


def occlusion_map(
    answer: Callable[[np.ndarray], np.ndarray], image: np.ndarray, index: int, where: Places | None = None
) -> np.ndarray:
    """Return how much of a class's probability each pixel carries: float32 `(H, W)`, from -1 to 1.

    The value of a pixel is the mean fall of the probability over the patches that cover it; below 0 the class
    becomes more probable.

    Args:
        answer: From uint8 `(N, H, W, C)` to probabilities `(N, classes)`; called for a few images at a time.
        image: uint8 `(H, W, C)`. The patch has its mean colour, which is grey where the image is.
        index: Of the class.
        where: The places of the patch; None: chosen by the size of the image.
    """
    where = where or places(*image.shape[:2])
    whole = float(answer(image[None])[0, index])
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for corners, covered in _covered(image, where):
        for corner, given in zip(corners, answer(covered)[:, index], strict=True):
            window = _window(corner, where.size)
            total[window] += whole - float(given)
            count[window] += 1
    return (total / np.maximum(count, 1)).astype("float32")


def _covered(image: np.ndarray, where: Places) -> Iterator[tuple[tuple[tuple[int, int], ...], np.ndarray]]:
    """Yield places, and the image covered at each of them, some at a time."""
    step = min(AT_ONCE, max(1, PIXELS_AT_ONCE // (image.shape[0] * image.shape[1])))
    colour = image.mean(axis=(0, 1)).round().astype(image.dtype)
    for start in range(0, len(where.corners), step):
        corners = where.corners[start : start + step]
        images = np.repeat(image[None], len(corners), axis=0)
        for one, corner in zip(images, corners, strict=True):
            one[_window(corner, where.size)] = colour
        yield corners, images


def _window(corner: tuple[int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    top, left = corner
    return slice(max(0, top), max(0, top + size[0])), slice(max(0, left), max(0, left + size[1]))
