"""The preprocessing of a config by its name, and the mean image that some subtract."""

from __future__ import annotations

import numpy as np

from core.components.preprocessing import Shape, Tensors
from core.config import DataConfig

CHUNK = 512  # images that are read at a time


def needs_mean(data: DataConfig) -> bool:
    """Return whether a config's preprocessing subtracts the mean image of the training set."""
    return data.component.needs_mean


def training_mean(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute the mean image of some rows, float32 `(H, W, C)`.

    Args:
        images: uint8 `(N, H, W, C)`; may be memory-mapped.
        rows: int `(n,)`, at least one.
    """
    total = np.zeros(images.shape[1:], np.float64)
    for start in range(0, len(rows), CHUNK):
        total += images[rows[start : start + CHUNK]].sum(axis=0, dtype=np.float64)
    return (total / len(rows)).astype("float32")


def preprocessing(name: str, shape: Shape, mean: np.ndarray | None = None) -> Tensors:
    """Build a preprocessing at the defaults of its settings.

    Args:
        name: `auto` is the default, which holds where no weights choose.
        shape: `(H, W, C)` of the images that it is called with.
        mean: float32 `(H, W, C)` of the training set; its middle is taken where it is larger than `shape`.

    Returns:
        A function on tensors `(N, H, W, C)` of 0-255; it may be called repeatedly and shares its layers.
    """
    return preprocessing_of(DataConfig(preprocessing=name), shape, mean)


def preprocessing_of(data: DataConfig, shape: Shape, mean: np.ndarray | None = None) -> Tensors:
    """Build the preprocessing of a config. See `preprocessing`."""
    return data.component.build(data.values, shape, mean)
