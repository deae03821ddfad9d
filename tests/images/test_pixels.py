"""Pixels become PNG files without loss."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.images.pixels import to_png


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_has_the_very_pixels(channels: int, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    image = Image.open(io.BytesIO(to_png(pixels)))
    assert (image.format, image.mode, image.size) == ("PNG", mode, (7, 5))
    assert np.array_equal(np.asarray(image).reshape(5, 7, channels), pixels)


def test_only_larger_images_are_reduced() -> None:
    pixels = np.zeros((4, 8, 3), dtype=np.uint8)
    assert Image.open(io.BytesIO(to_png(pixels, max_side=4))).size == (4, 2)
    assert Image.open(io.BytesIO(to_png(pixels, max_side=8))).size == (8, 4)
