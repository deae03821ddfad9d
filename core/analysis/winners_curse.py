"""What the best of several models will do on new images: the best was also the luckiest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers, ImportOf
from core.analysis.evidence import Measured, gather
from core.analysis.intervals import Interval, wilson
from core.tracking import schema
from core.tracking.run import Run

DRAWN = 1_000_000  # images drawn at most
ROUNDS = (200, 1000)


class BestOf(NamedTuple):
    """shown: the accuracy of the best on the images by which it was chosen; expected: on new ones.

    validates: whether those images are validation images.
    """

    choices: int
    images: int
    shown: float
    expected: float
    interval: Interval
    validates: bool = False


def best_measured(measured: Sequence[Measured]) -> BestOf:
    """Return `best_of` of entries by their answers for the same test images."""
    return best_of(_right(measured))


def best_by_validation(
    entries: Sequence[Entry], runs: Mapping[str, Run], read: Callable[[str], Answers], import_of: ImportOf
) -> BestOf | None:
    """Return `best_of` of entries by their answers for the same validation images, which choose the best.

    Args:
        runs: By id, with `evidence.KEYS`.
        read: Returns the validation answers of a run; raises FileNotFoundError, DamagedArtifact, ValueError.

    Returns:
        None unless all finished runs have answers for the same images, and there are two entries.
    """
    evidence = gather(entries, runs, read, import_of)
    answered = {run_id for one in evidence.tested for run_id in one.run_ids}
    members = (runs[run_id] for entry in entries for run_id in entry.run_ids if run_id in runs)
    finished = {run.run_id for run in members if run.status == schema.FINISHED and not run.is_range_test}
    if evidence.left_out or len(evidence.tested) < 2 or answered != finished:
        return None
    return best_of(_right(evidence.tested))._replace(validates=True)


def best_of(right: np.ndarray, seed: int = 0) -> BestOf:
    """Estimate the accuracy of the best of several models without the luck of the choice.

    A bootstrap over images repeats the choosing: each round draws as many images with replacement, chooses
    the best model on them, and measures it on the images that were not drawn. Source: I. Tsamardinos et al.,
    "Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation", Machine
    Learning 107 (2018). The interval is Wilson's around the estimate.

    Args:
        right: `(images, models)`, from 0 to 1: which images each model gets right, of groups the mean of
            their runs.
        seed: Of the bootstrap.
    """
    images, models = right.shape
    shown = float(right.mean(axis=0).max())
    if models == 1:
        return BestOf(1, images, shown, shown, wilson(shown, images))
    right = right.astype(np.float32)
    draws = np.random.Generator(np.random.PCG64(seed))
    rounds = int(np.clip(DRAWN // images, *ROUNDS))
    expected = []
    for _ in range(rounds):
        counts = np.bincount(draws.integers(0, images, images), minlength=images)
        chosen = int((counts.astype(np.float32) @ right).argmax())
        rest = counts == 0
        if rest.any():
            expected.append(float(right[rest, chosen].mean()))
    mean = min(shown, float(np.mean(expected))) if expected else shown
    return BestOf(models, images, shown, mean, wilson(mean, images))


def _right(measured: Sequence[Measured]) -> np.ndarray:
    """Which share of its runs gets each image right, of each entry: `(images, entries)`."""
    return np.stack([one.right.mean(axis=1) for one in measured], axis=1)
