"""Which images a run was evaluated on, and with which labels: only runs that share both are compared."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.analysis.basis import fingerprint_of
from core.analysis.mistakes import probabilities
from core.tracking.run import Run

# The fingerprint of the import of a dataset, by its name and the fingerprint of a version of it, which is
# returned itself where the import is not known (`core.datasets.store.import_of`).
ImportOf = Callable[[str, str], str]


class Answers(NamedTuple):
    """Which images of a set a run got right.

    Attributes:
        images: int64 `(n,)`, ascending, their rows in the dataset.
        right: bool `(n,)`.
        labels: int64 `(n,)`.
        classes: How many the run has.
    """

    images: np.ndarray
    right: np.ndarray
    labels: np.ndarray
    classes: int


class EvaluatedImages(NamedTuple):
    """Equal for runs that were evaluated on the same images with the same labels, by any name of the dataset.

    Versions of a dataset differ as soon as one label is edited, in any set. Its rows keep their images, so
    versions of one import can have the same test set.

    Attributes:
        imported: Fingerprint of the import that the images are rows of; empty where it was not logged.
        digest: Of the rows, their labels, and the number of classes.
    """

    imported: str
    digest: str


def answers_of(predictions: pd.DataFrame) -> Answers:
    """Return which images are right in a run's test predictions. Raises ValueError when they have none."""
    given = probabilities(predictions)
    if not given.size:
        raise ValueError("its test predictions hold no probabilities")
    index, labels = (predictions[name].to_numpy("int64") for name in ("index", "label"))
    right = given.argmax(axis=1) == labels
    order = np.argsort(index, kind="stable")
    return Answers(index[order], right[order], labels[order], given.shape[1])


def import_of_run(run: Run, import_of: ImportOf) -> str:
    """Return the fingerprint of the import of a run's dataset; empty where it logged no version."""
    fingerprint = fingerprint_of(run)
    return import_of(run.dataset or "", fingerprint) if fingerprint else ""


def evaluated_images(imported: str, answers: Answers) -> EvaluatedImages:
    """Identify the images that a run was evaluated on. imported: `import_of_run` of it."""
    total = sha256(str(answers.classes).encode())
    for part in (answers.images, answers.labels):
        total.update(part.astype("<i8").tobytes())
    return EvaluatedImages(imported, total.hexdigest())
