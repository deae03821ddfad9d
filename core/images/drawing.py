"""A drawn stroke image, brought to where and how large the images of a dataset are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

INK = 64  # of 255, by which a pixel differs from the ground to count as drawn
PLAIN = 48  # grey levels that the borders of a dataset's images may be from black or white


class Frame(NamedTuple):
    """Where the strokes of a dataset's images lie, as fractions of height and width.

    light: whether they are light on dark.
    """

    light: bool
    height: float
    width: float
    middle: tuple[float, float]  # down, across


def frame_of(images: np.ndarray) -> Frame | None:
    """Measure where the strokes of images lie; None where the images are no strokes on a plain ground.

    Args:
        images: Of the training set, uint8 `(N, H, W, 1)`.
    """
    if images.shape[-1] != 1 or not len(images):
        return None
    levels = images[..., 0].astype("int16")
    edge = np.ones(levels.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    ground = np.median(levels[:, edge])
    if PLAIN < ground < 255 - PLAIN:
        return None
    boxes = [_box(np.abs(one - ground) > INK) for one in levels]
    found = np.array([box for box in boxes if box is not None], float).reshape(-1, 4)
    if len(found) < len(boxes) / 2:
        return None
    height, width = levels.shape[1:]
    top, bottom, left, right = np.median(found, axis=0)
    return Frame(
        bool(ground < 128),
        float((bottom - top) / height),
        float((right - left) / width),
        (float((top + bottom) / 2 / height), float((left + right) / 2 / width)),
    )


def framed(ink: np.ndarray, frame: Frame) -> np.ndarray | None:
    """Move and scale a drawing so that it lies as the images of a dataset do; None for an empty one.

    A stroke drawn small in a corner would be another image than any that a model learned from.

    Args:
        ink: uint8 `(S, S)`, 255 where it is drawn.

    Returns:
        uint8 `(S, S, 1)`, light on dark or dark on light as the images are.
    """
    box = _box(ink > INK)
    if box is None:
        return None
    side = len(ink)
    top, bottom, left, right = box
    cut = Image.fromarray(ink[top:bottom, left:right])
    scale = min(frame.height * side / cut.height, max(frame.width, 0.8 * frame.height) * side / cut.width)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    sheet = Image.new("L", (side, side))
    place = round(frame.middle[1] * side - size[0] / 2), round(frame.middle[0] * side - size[1] / 2)
    sheet.paste(cut.resize(size, Image.Resampling.BICUBIC), place)
    found = np.asarray(sheet)[..., None]
    return found if frame.light else 255 - found


def _box(drawn: np.ndarray) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left and right of the pixels that are drawn."""
    down, across = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not len(down):
        return None
    return int(down[0]), int(down[-1]) + 1, int(across[0]), int(across[-1]) + 1
