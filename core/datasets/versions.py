"""Identify the images that a run trained, validated and tested on by a short value, to compare runs."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from core.datasets.splits import Split


def split_fingerprint(split: Split) -> str:
    """Return 32 hexadecimal digits that are equal when the same rows train, validate and test.

    Repeated training rows (even sampling) count once: how often an image is drawn concerns training, not the
    split. Rows are positions in one version of a dataset, so the value is only comparable together with the
    dataset's fingerprint.
    """
    return _fingerprint(split.train, split.validation, split.test)


def evaluation_fingerprint(split: Split) -> str:
    """Return the same for the validation and test rows alone: where it is equal, scores are comparable."""
    return _fingerprint(split.validation, split.test)


def _fingerprint(*sets: np.ndarray) -> str:
    total = blake2b(digest_size=16)
    for rows in sets:
        unique = np.unique(rows).astype("<i8")
        total.update(len(unique).to_bytes(8, "little"))
        total.update(unique.tobytes())
    return total.hexdigest()
