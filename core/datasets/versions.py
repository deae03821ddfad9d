"""Which images a run trained, validated and tested on, as a short value that two runs can be compared by."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from core.datasets.splits import Split


def split_fingerprint(split: Split) -> str:
    """Return 32 hexadecimal digits that are equal when the same rows train, validate and test.

    Repeated training rows (classes sampled evenly) count once: how often an image is drawn is a matter of
    training, not of the split. Rows are positions in one version of a dataset, so the value means something
    only beside that version's own fingerprint.
    """
    return _fingerprint(split.train, split.validation, split.test)


def evaluation_fingerprint(split: Split) -> str:
    """Return the same of the rows that validate and test alone: scores of equal ones may be compared."""
    return _fingerprint(split.validation, split.test)


def _fingerprint(*sets: np.ndarray) -> str:
    total = blake2b(digest_size=16)
    for rows in sets:
        unique = np.unique(rows).astype("<i8")
        total.update(len(unique).to_bytes(8, "little"))
        total.update(unique.tobytes())
    return total.hexdigest()
