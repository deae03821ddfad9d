"""Digests of images and of whole datasets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from core.images.target import Shape

DIGEST_BYTES = 16


def pixel_digest(image: np.ndarray) -> bytes:
    """Return a digest of one image's pixels: uint8 `(H, W, C)`, contiguous."""
    return blake2b(image.data, digest_size=DIGEST_BYTES).digest()


def fingerprint(
    shape: Shape, classes: Sequence[str], labels: np.ndarray, subsets: np.ndarray, digests: Sequence[bytes]
) -> str:
    """Return 32 hexadecimal digits that identify a dataset.

    They change with any pixel, label, set or class name, and with the order of the images.
    """
    total = blake2b(json.dumps([list(shape), list(classes)]).encode(), digest_size=16)
    total.update(labels.astype("<i8").tobytes())
    total.update(subsets.astype("i1").tobytes())
    total.update(b"".join(digests))
    return total.hexdigest()
