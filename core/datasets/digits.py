"""Handwritten digits that ship with scikit-learn: a dataset without a download.

Source: Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49 (CC BY 4.0): its test set, 1,797 images of 8×8 pixels with 17 levels of grey.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.datasets import Arrays, Source, datasets
from core.datasets.splits import hold_out

SIZE = 28
TEST_FRACTION = 0.2
LABELS = tuple("0123456789")


def read() -> Arrays:
    """The digits enlarged to 28×28×1, white on black like MNIST; a fifth of each class is for testing."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.stack([_enlarged(image) for image in grey])
    labels = digits.target.astype(np.int64)
    subsets = np.where(hold_out(labels, None, TEST_FRACTION, seed=0), 2, 0).astype(np.int8)
    return Arrays(images[..., None], labels, subsets, [f"digit {row:04}" for row in range(len(labels))])


def _enlarged(grey: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


datasets.register(
    Source(
        name="digits",
        title="Digits of scikit-learn",
        description="1,797 handwritten digits of 8×8 pixels, enlarged to 28×28, white on black.",
        licence="CC BY 4.0",
        shape=(SIZE, SIZE, 1),
        classes=LABELS,
        counts={
            "train": (142, 146, 142, 146, 145, 146, 145, 143, 139, 144),
            "validation": (0,) * 10,
            "test": (36, 36, 35, 37, 36, 36, 36, 36, 35, 36),
        },
        read=read,
        embedded=True,
    )
)
