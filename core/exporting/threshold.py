"""When a model that is handed over answers, and when it leaves an image to a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.automation import RISK, outcome, promise, promise_sentence
from core.analysis.confidence import coverage
from core.analysis.mistakes import probabilities
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore

PROMISES = (0.01, 0.02, 0.05)  # of wrong answers; the least that can be promised counts
ACCURATE = 0.99  # of the answers, on the validation images, where nothing can be promised


@dataclass(frozen=True)
class Threshold:
    """From which probability on a model answers.

    answer_from: by the predicted class; None for a class that is always left to a person, and None instead of
    all where no threshold is known. rule: what holds of the answers, or why none is known.
    """

    answer_from: tuple[float | None, ...] | None
    rule: str


def threshold(store: RunStore, run_id: str) -> Threshold:
    """Return from which probability on a run's model answers, so that few of its answers are wrong.

    Where its validation images are too few to promise that, the threshold is the one from which on 99 of 100
    answers for them were right.
    """
    try:
        table = frames.predictions(store, run_id, schema.VALIDATION_PREDICTIONS)
    except (FileNotFoundError, DamagedArtifact):
        return Threshold(None, "The run kept no predictions for its validation images, so none is known.")
    if table.empty:
        return Threshold(None, "The run has no validation images, so none is known.")
    given, labels = probabilities(table), table["label"].to_numpy("int64")
    return _promised(store, run_id, given, labels) or _measured(given, labels)


def _promised(store: RunStore, run_id: str, given: np.ndarray, labels: np.ndarray) -> Threshold | None:
    """Return the thresholds of the strictest promise, with what became of it on the test images."""
    try:
        test = frames.predictions(store, run_id)
    except (FileNotFoundError, DamagedArtifact):
        return None
    tested = probabilities(test)
    if test.empty or tested.shape[1] != given.shape[1]:
        return None
    for mistakes in PROMISES:
        found = promise(given, labels, mistakes, RISK / len(PROMISES))  # the strictest of them is chosen
        if np.isfinite(found.thresholds).any():
            rule = promise_sentence(found, outcome(found, tested, test["label"].to_numpy("int64")))
            certain = f" The thresholds hold with {1 - RISK:.0%} certainty for new images of the same kind."
            answer_from = [one if np.isfinite(one) else None for one in found.thresholds.tolist()]
            return Threshold(tuple(answer_from), rule + certain)
    return None


def _measured(given: np.ndarray, labels: np.ndarray) -> Threshold:
    found = coverage(given, labels).answerable(ACCURATE)
    on = f"{len(labels):,} validation images"
    if found is None:
        return Threshold(None, f"On {on} no threshold gives {ACCURATE:.0%} right answers.")
    share, confidence = found
    rule = (
        f"Of the answers with a probability of at least {confidence:.1%}, {ACCURATE:.0%} or more were right "
        f"on {on}, and {share:.0%} of those images were answered. It is no promise for other images."
    )
    return Threshold((confidence,) * given.shape[1], rule)
