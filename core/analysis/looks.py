"""How often a test set was looked at: every look makes the best result on it less certain."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

import pandas as pd

from core.analysis.evaluated_images import Answers, EvaluatedImages, ImportOf, evaluated_images
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.tables import column

KEYS = ("data.name", schema.FINGERPRINT, "test_accuracy")
TRIED = 3  # runs of a version whose predictions are looked for


def looks(
    runs: pd.DataFrame,
    images: EvaluatedImages,
    versions: Collection[str],
    read: Callable[[str], Answers],
    import_of: ImportOf,
) -> int:
    """Count the runs that were evaluated on some test images, in all versions of the dataset that have them.

    The test images of a version are fixed by its import and the edits, so those of one run are those of all.

    Args:
        runs: All runs, with `KEYS`.
        versions: Fingerprints of versions that are known to have these test images.
        read: Returns the test answers of a run; raises FileNotFoundError, DamagedArtifact, ValueError.
    """
    tested = pd.DataFrame(
        {
            "run_id": runs["run_id"],
            "name": column(runs, "params.data.name", object).fillna(""),
            "fingerprint": column(runs, f"params.{schema.FINGERPRINT}", object),
        }
    )[column(runs, "metrics.test_accuracy").notna()]
    count = 0
    for (name, fingerprint), of_version in tested.groupby(["name", "fingerprint"], sort=False)["run_id"]:
        if fingerprint in versions or (
            import_of(name, fingerprint) == images.imported and _has(of_version, images, read)
        ):
            count += len(of_version)
    return count


def _has(run_ids: pd.Series, images: EvaluatedImages, read: Callable[[str], Answers]) -> bool:
    """Whether runs of one version were tested on these images, by the first whose predictions are there."""
    for run_id in run_ids[:TRIED]:
        with suppress(FileNotFoundError, DamagedArtifact, ValueError):
            return evaluated_images(images.imported, read(run_id)) == images
    return False


def looks_words(count: int, images: int) -> str:
    """Say how often some test images were looked at, by what is known: runs that were deleted are not."""
    were = "was" if count == 1 else "were"
    return f"Of the runs that are here, {count:,} {were} evaluated on these {images:,} test images."
