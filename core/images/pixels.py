"""Pixels of a dataset as Pillow images and as PNG files."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def to_image(pixels: np.ndarray) -> Image.Image:
    """Return a Pillow image of pixels: uint8 `(H, W, C)`, C = 1 (mode L) or 3 (mode RGB)."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def to_png(pixels: np.ndarray, max_side: int | None = None) -> bytes:
    """Encode pixels as a PNG file.

    Args:
        pixels: uint8 `(H, W, C)`, C = 1 (grey) or 3 (RGB).
        max_side: in pixels; a larger image is reduced to it with its aspect ratio kept. None: never.
    """
    image = to_image(pixels)
    if max_side is not None:
        image.thumbnail((max_side, max_side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def to_data_url(pixels: np.ndarray, max_side: int) -> str:
    """Return pixels, uint8 `(H, W, C)`, as the address of a PNG file of at most `max_side` pixels."""
    return f"data:image/png;base64,{base64.b64encode(to_png(pixels, max_side)).decode()}"
