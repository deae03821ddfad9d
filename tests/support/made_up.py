"""Datasets of made-up images, of any shape and number of classes, written as an import writes them."""

from __future__ import annotations

import numpy as np

from core.datasets.drafts import draft
from core.datasets.records import Arrays, DatasetInfo
from core.datasets.store_write import write_arrays


def made_up(name: str, shape: tuple[int, int, int], classes: int, each: int = 4) -> DatasetInfo:
    """Write `each` noisy images a class to train and one to test. shape: `(H, W, C)`."""
    draws = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each + 1)
    subsets = np.tile([0] * each + [2], classes)
    images = draws.integers(0, 255, (len(labels), *shape), dtype=np.uint8)
    info = DatasetInfo(name, name, shape, tuple(f"class{number}" for number in range(classes)), {})
    with draft(name, overwrite=False) as folder:
        return write_arrays(folder, info, Arrays(images, labels, subsets, [str(one) for one in labels]))
