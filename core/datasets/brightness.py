"""Measure the brightness of a run's training images, to recognise images that are negatives of their kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.datasets.records import ImageDataset

SAMPLE_SIZE = 2000  # training images, spread over all of them
CHUNK_BYTES = 2**22  # of images that are measured at once; their grey levels take up to 8 times as much
NEARLY_ALL = (1, 99)  # percentiles
MARGIN = 50  # grey levels that an image may lie beyond nearly all training images before it is reported

Usual = Mapping[str, list[float]]


def measured(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean brightness of whole images and of their border pixels, 0 to 255: float `(N,)` each.

    images: uint8 `(N, H, W, C)`.
    """
    levels = images.mean(axis=-1, dtype=np.float64)
    edge = np.ones(levels.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    return {"mean": levels.mean(axis=(1, 2)), "edge": levels[:, edge].mean(axis=1)}


def usual_brightness(dataset: ImageDataset, rows: np.ndarray) -> dict[str, list[float]]:
    """Return the ranges that hold nearly all images of these rows, for `mean` and `edge` of `measured`."""
    if not len(rows):
        return {}
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE_SIZE, dtype=int))]
    size = max(1, CHUNK_BYTES // max(1, dataset.images[0].nbytes))
    chunks = [measured(dataset.images[chosen[start : start + size]]) for start in range(0, len(chosen), size)]
    return {
        name: np.percentile(np.concatenate([chunk[name] for chunk in chunks]), NEARLY_ALL).round(1).tolist()
        for name in ("mean", "edge")
    }


def fits_inverted(usual: Usual, image: np.ndarray) -> bool:
    """Return whether an image `(H, W, C)` is unlike the training images while its negative is like them."""
    as_it_is, negative = _distance(usual, image), _distance(usual, 255 - image)
    return as_it_is > MARGIN and negative < as_it_is / 2


def is_unlike(usual: Usual, image: np.ndarray) -> bool:
    """Return whether an image `(H, W, C)` is much darker or brighter than nearly all training images."""
    return _distance(usual, image) > MARGIN


def _distance(usual: Usual, image: np.ndarray) -> float:
    """Return by how many grey levels an image lies beyond nearly all training images, mean plus edge."""
    own = measured(image[None])
    return sum(
        max(low - own[name][0], own[name][0] - high, 0.0)
        for name, (low, high) in usual.items()
        if name in own
    )
