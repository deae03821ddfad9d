"""A drawing is placed as the images of a dataset are."""

from __future__ import annotations

import numpy as np
import pytest

from core.images.drawing import frame_of, framed


def strokes(light: bool = True) -> np.ndarray:
    """Images of 40×40 with a stroke from row 10 to 30 and column 20 to 30."""
    images = np.zeros((8, 40, 40, 1), np.uint8)
    images[:, 10:30, 20:30] = 255
    return images if light else 255 - images


@pytest.mark.parametrize("light", [True, False])
def test_a_small_drawing_in_a_corner_becomes_as_large_as_the_training_images(light: bool) -> None:
    frame = frame_of(strokes(light))
    assert frame is not None
    ink = np.zeros((140, 140), np.uint8)
    ink[5:25, 100:110] = 255
    found = framed(ink, frame)
    assert found is not None
    assert found.shape == (140, 140, 1)
    drawn = found[..., 0] > 128 if light else found[..., 0] < 128
    down, across = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    np.testing.assert_allclose([down[0], down[-1]], [35, 105], atol=2)
    np.testing.assert_allclose([across[0], across[-1]], [70, 105], atol=2)


def test_an_empty_drawing_is_none() -> None:
    frame = frame_of(strokes())
    assert frame is not None
    assert framed(np.zeros((140, 140), np.uint8), frame) is None


def test_photos_cannot_be_drawn() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 40, 40, 1), dtype=np.uint8)
    assert frame_of(noise) is None
    assert frame_of(np.zeros((8, 40, 40, 1), np.uint8)) is None  # nothing is on them
    assert frame_of(np.repeat(strokes(), 3, axis=-1)) is None
