"""Detects what is wrong with a run: it learned nothing, diverged, or its scores cannot be trusted.

Decided by logged metrics alone, so that every table can show it; runs of older versions lack some of them,
and less is known of those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.losses import cross_entropy_from
from core.analysis.values import not_a_fraction, validation_accuracy
from core.tracking import schema
from core.tracking.run import Run, runs_of

CONSTANT, CHANCE, EXPLODED, LEAK, UNUSABLE = "one class only", "chance level", "diverged", "leak", "unusable"
TOO_FEW = "too few images"
LEARNED_NOTHING = (CONSTANT, CHANCE)
# Cross-entropy in nats. Guessing among 1,000 classes costs 6.9; an untrained model may start at some tens.
EXPLODED_ABOVE = 100.0
# Older versions added penalties to the loss that they logged, which large models begin with at thousands.
EXPLODED_WITH_PENALTIES = 1e5
Z = 1.645  # standard deviations that chance stays below 19 times of 20
RESOLVED = 0.1  # a set whose sampling error of the accuracy exceeds this cannot tell skill from chance
ACCURACIES = ("accuracy", "val_accuracy", "best_val_accuracy", "test_accuracy", "test_top5_accuracy")
COLUMNS = (
    "status",
    "params.schedule.name",
    "params.training.keep",
    f"tags.{schema.NUMBER}",
    f"tags.{schema.LEAK}",
    f"tags.{schema.LOSS}",
    f"tags.{schema.LOSS_FROM}",
    "last_epoch",
    *(f"metrics.{name}" for name in (*ACCURACIES, *schema.SET_METRICS, "loss", "val_loss", "test_loss")),
    "metrics.test_balanced_accuracy",
    "metrics.test_macro_f1",
    "metrics.test_predicted_classes",
)


def set_metrics(counts: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Facts about the validation and test images, by their names in the schema. counts: images per class."""
    found = {}
    for subset in ("validation", "test"):
        if total := sum(counts[subset]):
            found[f"{subset}_images"] = float(total)
            found[f"{subset}_classes"] = float(sum(count > 0 for count in counts[subset]))
            found[f"{subset}_majority"] = max(counts[subset]) / total
    return found


@dataclass(frozen=True)
class Trouble:
    """kind: one of the words above, short enough for a badge. sentence: what happened, with the number."""

    kind: str
    sentence: str


def troubles(run: Run) -> list[Trouble]:
    """List what is wrong with one run, the most serious first; empty where all is well."""
    if run.is_range_test:
        return []  # its loss is meant to diverge
    found = []
    if leak := run.tags.get(schema.LEAK):
        found.append(Trouble(LEAK, leak))
    if run.status == schema.FINISHED:
        found += _learned_nothing(run)
    found += _exploded(run)
    for name in ACCURACIES:
        what = name.replace("val_", "validation ").replace("_", " ")
        if (reason := not_a_fraction(what, run.metrics.get(name))) is not None:
            found.append(Trouble(UNUSABLE, reason))
    return found


def of_all(runs: pd.DataFrame) -> list[list[Trouble]]:
    """Return the troubles of every row of `frames.runs`, in the order of the rows."""
    needed = runs.loc[:, [name for name in COLUMNS if name in runs]]
    return [troubles(run) for run in runs_of(needed)]


def of_predictions(probabilities: np.ndarray, labels: np.ndarray) -> list[Trouble]:
    """Detect by test predictions whether a run that logged no metrics for it learned nothing.

    Args:
        probabilities: float `(n, k)`.
        labels: int `(n,)`.
    """
    if not len(labels):
        return []
    answers = probabilities.argmax(axis=1)
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    present = np.flatnonzero(counts)
    recalls = [float((answers[labels == one] == one).mean()) for one in present]
    return _by_test(
        accuracy=float((answers == labels).mean()),
        balanced=float(np.mean(recalls)),
        images=len(labels),
        majority=float(counts.max() / len(labels)),
        classes=len(present),
        predicted=len(np.unique(answers)),
    )


def _learned_nothing(run: Run) -> list[Trouble]:
    def metric(name: str) -> float:
        return run.metrics.get(name, math.nan)  # comparisons with it are false

    accuracy, balanced = metric("test_accuracy"), metric("test_balanced_accuracy")
    predicted = metric("test_predicted_classes")
    if math.isnan(predicted) and _one_class_by_scores(accuracy, balanced, metric("test_macro_f1")):
        predicted = 1
    kept = validation_accuracy(run)
    validation = math.nan if kept is None else kept
    images, majority = metric("validation_images"), metric("validation_majority")
    # Where classes differ in size, accuracy alone does not tell skill from none.
    balanced_set = majority * metric("validation_classes") < 1.5
    found = _by_test(
        accuracy,
        balanced,
        metric("test_images"),
        metric("test_majority"),
        metric("test_classes"),
        predicted,
        skilled=balanced_set and _by_luck(majority, images) < validation <= 1,
    )
    without_test_set = math.isnan(accuracy)
    if not found and without_test_set and balanced_set and validation <= _by_luck(majority, images):
        found.append(_no_better("validation", validation, majority, images))
    return found


def _by_test(
    accuracy: float,
    balanced: float,
    images: float,
    majority: float,
    classes: float,
    predicted: float,
    skilled: bool = False,
) -> list[Trouble]:
    """Comparisons with NaN are false: what was not logged raises no trouble.

    skilled: whether validation showed that the model learned something.
    """
    few = skilled and _by_luck(majority, images) - majority > RESOLVED
    if predicted == 1 and classes != 1 and not few:
        correct = f" ({accuracy:.1%} correct)" if 0 <= accuracy <= 1 else ""
        return [Trouble(CONSTANT, f"It predicts the same class for every test image{correct}.")]
    if classes > 1 and accuracy <= _by_luck(majority, images) and balanced <= _by_luck(1 / classes, images):
        return [_no_better("test", accuracy, majority, images, skilled)]
    return []


def _by_luck(share: float, images: float) -> float:
    """The accuracy that a guess which is right with probability `share` stays below 19 times of 20.

    NaN for what is no share or no number of images: any client may have logged it.
    """
    if not (0 <= share <= 1 and images > 0):
        return math.nan
    return share + Z * math.sqrt(share * (1 - share) / images)


def _no_better(
    subset: str, accuracy: float, majority: float, images: float, skilled: bool = False
) -> Trouble:
    """An accuracy that luck explains: many images show that nothing was learned, few show nothing."""
    if _by_luck(majority, images) - majority > RESOLVED and (skilled or accuracy > majority):
        return Trouble(
            TOO_FEW,
            f"{images:,.0f} {subset} image{'' if images == 1 else 's'} cannot tell its {subset} accuracy, "
            f"{accuracy:.1%}, from chance: always answering the most frequent class gives {majority:.1%}.",
        )
    return Trouble(
        CHANCE,
        f"Its {subset} accuracy, {accuracy:.1%}, is no better than chance: always answering the most "
        f"frequent class gives {majority:.1%}.",
    )


def _one_class_by_scores(accuracy: float, balanced: float, macro_f1: float) -> bool:
    """Whether all answers were one class, by three scores alone.

    Then one of k recalls is 1 and the others are 0; so is F1, but for the class that was answered, whose
    precision is the accuracy: 2 * accuracy / (1 + accuracy).
    """
    if math.isnan(macro_f1) or not (0 <= accuracy <= 1 and 1e-6 < balanced < 0.75):
        return False
    classes = round(1 / balanced)
    expected = 2 * accuracy / (1 + accuracy) / classes
    return abs(balanced - 1 / classes) < 1e-9 and abs(macro_f1 - expected) < 1e-9


def _exploded(run: Run) -> list[Trouble]:
    found = []
    since = cross_entropy_from(run)
    plain = since <= 1 or (run.last_epoch or 0) >= since
    limit = EXPLODED_ABOVE if plain else EXPLODED_WITH_PENALTIES if run.is_ours else math.inf
    for name, what, accuracy, when in (
        ("loss", "training loss", "accuracy", " in the last epoch"),
        ("val_loss", "validation loss", "val_accuracy", " in the last epoch"),
        ("test_loss", "test loss", None, ""),  # without one it may not have been logged
    ):
        loss = run.metrics.get(name)
        if loss is None:  # NaN, where the accuracy beside it was logged
            if run.is_ours and accuracy in run.metrics:
                found.append(Trouble(EXPLODED, f"Its {what} is not a number any more."))
        elif loss > limit or math.isinf(loss):
            found.append(Trouble(EXPLODED, f"Its {what} exploded: {loss:.3g}{when}."))
    return found
