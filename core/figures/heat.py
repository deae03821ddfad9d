"""A map of values laid over an image, in colours of equal steps for the eye."""

from __future__ import annotations

import numpy as np
from PIL import Image

# Viridis by S. van der Walt and N. Smith (CC0), at equal distances: its lightness grows evenly, so that it
# reads on a light and on a dark page, printed in grey, and with any colour vision.
VIRIDIS = (
    *("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b"),
    "#fde725",
)
_TABLE = np.array([list(bytes.fromhex(colour[1:])) for colour in VIRIDIS], dtype="float64")


def coloured(values: np.ndarray) -> np.ndarray:
    """Return the colours of values from 0 to 1, of any shape: float64 `(..., 3)`, 0-255."""
    places = np.linspace(0, 1, len(_TABLE))
    return np.stack([np.interp(values, places, _TABLE[:, channel]) for channel in range(3)], axis=-1)


def overlay(pixels: np.ndarray, values: np.ndarray, most: float, strength: float, side: int) -> np.ndarray:
    """Lay a map over an image; the image is grey, so that every colour is the map's.

    Args:
        pixels: uint8 `(H, W, C)`.
        values: float32 `(H, W)`; what is below 0 counts as 0.
        most: The value that gets the brightest colour.
        strength: From 0, the image alone, to 1, the map alone.
        side: In pixels, the longer one of the result.

    Returns:
        uint8 `(h, w, 3)`.
    """
    grey = Image.fromarray(pixels.mean(axis=-1).round().astype("uint8"))
    factor = side / max(grey.size)
    size = max(1, round(grey.width * factor)), max(1, round(grey.height * factor))
    shown = grey.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BICUBIC)
    smooth = Image.fromarray(values.astype("float32")).resize(size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(smooth) / most, 0, 1) if most > 0 else np.zeros(size[::-1])
    mixed = strength * coloured(share) + (1 - strength) * np.asarray(shown, "float64")[..., None]
    return mixed.round().astype("uint8")
