"""What makes a comparison of runs doubtful, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from core.analysis.basis import split_of
from core.analysis.differences import differing, versions
from core.analysis.entries import Entry
from core.analysis.experiments import DEFAULTS
from core.analysis.intervals import Interval, wilson
from core.analysis.values import validation_accuracy
from core.tracking import schema
from core.tracking.run import Run

NAMED = 6  # settings that a sentence names
# Settings in which the runs of one comparison may differ: they are what is compared, or repeats of it.
NOT_COMPARED = (
    "name",
    "seed",
    "data.fold",
    "training.device",
    "training.devices",
    "training.images_on_device",
)


def gap(validation: float, validation_images: float, test: float, test_images: float) -> Interval:
    """Return the 95% interval of validation minus test accuracy, of different images.

    Newcombe's hybrid score interval ("Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17, 1998, method 10).
    """
    (low_v, high_v), (low_t, high_t) = wilson(validation, validation_images), wilson(test, test_images)
    between = validation - test
    return Interval(
        between - math.hypot(validation - low_v, high_t - test),
        between + math.hypot(high_v - validation, test - low_t),
    )


def gap_mark(runs: Sequence[Run], name: str) -> str | None:
    """Say that validation and test accuracy differ by more than chance explains; None where not.

    Runs that lack one of them, or the number of their images, are left out.

    Args:
        runs: One, or those of a group, of which the means are compared: as certain as one run of them is,
            and over folds as their validation images together.
    """
    measured = [(run, scores) for run in runs if (scores := _scores(run)) is not None]
    if not measured:
        return None
    validation, test = (fmean(scores[place] for _, scores in measured) for place in (0, 1))
    sets = {run.params.get(schema.EVALUATION) or split_of(run): scores[2] for run, scores in measured}
    low, high = gap(validation, sum(sets.values()), test, min(scores[3] for _, scores in measured))
    if low <= 0 <= high:
        return None
    which = "above" if low > 0 else "below"
    why = (
        "it was chosen on the validation images, or the test images are harder"
        if low > 0
        else "the test images are easier, or were trained on"
    )
    near, far = sorted((100 * abs(low), 100 * abs(high)))
    points = f"{100 * abs(validation - test):.1f} points {which}"
    of = "" if len(measured) == 1 else "mean "
    return (
        f"{name}: {of}validation accuracy {validation:.1%} is {points} test accuracy {test:.1%} ({near:.1f} "
        f"to {far:.1f}), more than chance explains: {why}."
    )


def _scores(run: Run) -> tuple[float, float, float, float] | None:
    """Validation and test accuracy, and the images of each; None where a run lacks one of them."""
    validation, test = validation_accuracy(run), run.metrics.get("test_accuracy")
    counts = [run.metrics.get(f"{subset}_images", 0.0) for subset in ("validation", "test")]
    if validation is None or test is None or not (0 <= validation <= 1 and 0 <= test <= 1) or min(counts) < 1:
        return None
    return validation, test, counts[0], counts[1]


def differing_mark(entries: Sequence[Entry], runs: Mapping[str, Run]) -> str | None:
    """Say in what other than the model entries differ, the version of their dataset first; None for nothing.

    Those that were tested on the same images had other images or labels to train on where it differs.
    """
    named = []
    trained_on = versions(runs[one] for entry in entries for one in entry.run_ids if one in runs)
    if len(trained_on) > 1:
        named.append(f"the version of the dataset that they were trained on ({', '.join(trained_on[:4])})")
    for name, values in differing(entries, runs).items():
        logged = {one for one in values if one}
        of_the_model = name.startswith("model.")
        if name in DEFAULTS and name not in NOT_COMPARED and not of_the_model and len(logged) > 1:
            every = sorted(frozenset().union(*logged))
            named.append(f"{name} ({', '.join(value or 'none' for value in every[:4])})")
    if not named:
        return None
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return (
        f"They differ in more than the model: {', '.join(named[:NAMED])}{more}. What makes one better may be "
        "any of these."
    )
