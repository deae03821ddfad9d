"""Random orders that depend on a seed alone.

Only bit streams of PCG64 are drawn on, which NumPy guarantees to keep, so that a seed gives the same split on
every machine and with every version of NumPy.
"""

from __future__ import annotations

import numpy as np


def shuffled(count: int, *seed: int) -> np.ndarray:
    """Return 0 to `count` - 1 in an order that depends on the seed alone: int64 `(count,)`."""
    draws = np.random.PCG64(np.random.SeedSequence(list(seed))).random_raw(count)
    return np.argsort(draws, kind="stable")
