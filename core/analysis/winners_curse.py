"""What the best of several models will do on new images: the best was also the luckiest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.analysis.intervals import Interval, wilson

DRAWN = 1_000_000  # images drawn at most
ROUNDS = (200, 1000)


class BestOf(NamedTuple):
    """shown: the accuracy of the best on the images by which it was chosen; expected: on new ones."""

    choices: int
    images: int
    shown: float
    expected: float
    interval: Interval


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
