"""Read a colour dataset as grey: the stored images stay as they are.

Each batch is converted when it is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from core.datasets.records import ImageDataset

# ITU-R BT.601 in 16-bit fixed point, rounded: the very numbers of Pillow's convert("L").
RED, GREEN, BLUE, HALF = 19595, 38470, 7471, 0x8000


class GreyImages:
    """Images uint8 `(N, H, W, 3)` presented as `(N, H, W, 1)`; what is indexed is read and converted."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, images: np.ndarray):
        self._images = images
        self.shape = (*images.shape[:3], 1)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> np.ndarray:
        return to_grey(self._images[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def to_grey(images: np.ndarray) -> np.ndarray:
    """Convert uint8 `(..., 3)` to uint8 `(..., 1)`, with the same result as Pillow."""
    wide = images.astype(np.uint32)
    grey = (wide[..., 0] * RED + wide[..., 1] * GREEN + wide[..., 2] * BLUE + HALF) >> 16
    return grey.astype(np.uint8)[..., None]


def as_grey(dataset: ImageDataset) -> ImageDataset:
    """Return the dataset with one channel; unchanged if it is grey already."""
    height, width, channels = dataset.info.shape
    if channels == 1:
        return dataset
    info = replace(dataset.info, shape=(height, width, 1))
    return replace(dataset, info=info, images=cast(np.ndarray, GreyImages(dataset.images)))
