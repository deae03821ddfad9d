"""Rules of `core.analysis.what_happened` on what a model answers for validation and test images."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from core.analysis.mistakes import probabilities
from core.analysis.remedies import longer
from core.analysis.run_story import Finding, Story
from core.analysis.values import validation_accuracy

RARE = 0.001  # probability by chance below which two accuracies differ
NAMED = 3  # classes that a sentence names


def class_never_predicted(story: Story) -> Finding | None:
    """A class has test images, and no image was predicted to be of it."""
    if story.predictions is None or story.predictions.empty or story.learned_nothing:
        return None
    given, labels = probabilities(story.predictions), story.predictions["label"].to_numpy()
    classes = given.shape[1]
    images = np.bincount(labels, minlength=classes)
    never = np.flatnonzero((images >= 5) & (np.bincount(given.argmax(axis=1), minlength=classes) == 0))
    if not len(never):
        return None
    names = dict(enumerate(story.classes))
    said = ", ".join(f"{names.get(one, one)} ({images[one]:,} test images)" for one in never[:NAMED].tolist())
    more = f" and {len(never) - NAMED:,} more" if len(never) > NAMED else ""
    few = images[never].max() < images[images > 0].mean() / 2
    again = ("Again with class weights", {"data.imbalance": "class_weights"}) if few else longer(story)
    return Finding(
        "a class is never predicted",
        f"It never predicts the class{'es' if len(never) > 1 else ''} {said}{more}.",
        *again,
    )


def validation_unlike_test(story: Story) -> Finding | None:
    """Validation and test accuracy differ by more than chance."""
    metrics = story.run.metrics
    validation, test = validation_accuracy(story.run), metrics.get("test_accuracy", math.nan)
    counts = metrics.get("validation_images", math.nan), metrics.get("test_images", math.nan)
    if validation is None or not (0 <= validation <= 1 and 0 <= test <= 1 and min(counts) >= 1):
        return None
    share = (validation * counts[0] + test * counts[1]) / sum(counts)
    error = math.sqrt(share * (1 - share) * (1 / counts[0] + 1 / counts[1]))
    difference = validation - test
    if error == 0 or abs(difference) < 0.02 or story.learned_nothing:
        return None
    chance = max(2 * NormalDist().cdf(-abs(difference) / error), 1e-16)
    if chance > RARE:
        return None
    why = "the epoch was chosen by the validation set, or" if difference > 0 else "it may be that"
    split = {"data.split_seed": story.run.whole_setting("data.split_seed") + 1}
    return Finding(
        "validation and test differ",
        f"Validation accuracy is {validation:.1%} of {counts[0]:,.0f} images and test accuracy {test:.1%} of "
        f"{counts[1]:,.0f}, which chance explains with p = {chance:.1g}: {why} the two sets are of different "
        "kinds.",
        "Again with another split",
        split,
    )
