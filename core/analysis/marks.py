"""What makes a comparison of runs doubtful, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.analysis.entries import Entry
from core.analysis.experiments import DEFAULTS, OPTIONS, default_options, normal
from core.analysis.intervals import Interval, wilson
from core.analysis.values import validation_accuracy
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


def gap_mark(run: Run, name: str) -> str | None:
    """Say that a run's validation and test accuracy differ by more than chance explains; None where not.

    Of a run that lacks one of them, or the number of its images, nothing is said.
    """
    validation, test = validation_accuracy(run), run.metrics.get("test_accuracy")
    counts = [run.metrics.get(f"{subset}_images", 0.0) for subset in ("validation", "test")]
    if validation is None or test is None or not (0 <= validation <= 1 and 0 <= test <= 1) or min(counts) < 1:
        return None
    low, high = gap(validation, counts[0], test, counts[1])
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
    return (
        f"{name}: validation accuracy {validation:.1%} is {points} test accuracy {test:.1%} ({near:.1f} to "
        f"{far:.1f}), more than chance explains: {why}."
    )


def differing(entries: Sequence[Entry], runs: Mapping[str, Run]) -> dict[str, list[str]]:
    """Return the settings in which entries differ, with their values; what a run did not log is the default.

    Args:
        runs: By id, with all their settings.
    """
    of_entries = [[runs[one].params for one in entry.run_ids if one in runs] for entry in entries]
    names = sorted({*DEFAULTS, *(name for those in of_entries for params in those for name in params)})
    found = {}
    for name in names:
        if name in NOT_COMPARED or (name not in DEFAULTS and not name.startswith(OPTIONS)):
            continue
        values = [frozenset(_value(params, name) for params in those) for those in of_entries if those]
        if len(set(values)) > 1:
            found[name] = sorted(frozenset().union(*values))
    return found


def differing_mark(entries: Sequence[Entry], runs: Mapping[str, Run]) -> str | None:
    """Say which settings other than those of the model entries differ in; None for none."""
    settings = differing(entries, runs)
    found = {name: values for name, values in settings.items() if not name.startswith("model.")}
    if not found:
        return None
    named = [
        f"{name} ({', '.join(value or 'none' for value in values[:4])})" for name, values in found.items()
    ]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return (
        f"They differ in more than the model: {', '.join(named[:NAMED])}{more}. What makes one better may be "
        "any of these."
    )


def _value(params: Mapping[str, str], name: str) -> str:
    if name in params:
        return normal(params[name])
    if name.startswith(OPTIONS):
        return normal(default_options(params.get("model.name", "")).get(name, ""))
    return normal(DEFAULTS[name])
