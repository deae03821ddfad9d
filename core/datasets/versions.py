"""Which images a run trained, validated and tested on, as a short value that two runs can be compared by."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from core.datasets.splits import Split


def split_fingerprint(parts: Split) -> str:
    """Return 32 hexadecimal digits that are equal when the same rows train, validate and test.

    Repeated training rows (classes sampled evenly) count once: how often an image is drawn is a matter of
    training, not of the split. Rows are positions in one version of a dataset, so the value means something
    only beside that version's own fingerprint.
    """
    total = blake2b(digest_size=16)
    for rows in (parts.train, parts.validation, parts.test):
        unique = np.unique(rows).astype("<i8")
        total.update(len(unique).to_bytes(8, "little"))
        total.update(unique.tobytes())
    return total.hexdigest()
