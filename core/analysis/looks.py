"""How often a test set was looked at: every look makes the best result on it less certain."""

from __future__ import annotations

import pandas as pd

from core.tracking import schema
from core.tracking.tables import column

KEYS = (schema.FINGERPRINT, "test_accuracy")


def looks(runs: pd.DataFrame, fingerprint: str) -> int:
    """Count the runs that were evaluated on the test set of a version of a dataset, which its import fixed.

    Args:
        runs: All runs, with `KEYS`.
        fingerprint: Of the version.
    """
    same = column(runs, f"params.{schema.FINGERPRINT}", object) == fingerprint
    return int((same & column(runs, "metrics.test_accuracy").notna()).sum())


def looks_words(count: int, images: int) -> str:
    """Say how often some test images were looked at, by what is known: runs that were deleted are not."""
    were = "was" if count == 1 else "were"
    return f"Of the runs that are here, {count:,} {were} evaluated on these {images:,} test images."
