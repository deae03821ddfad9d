"""What models answered to the images of a test set, from their stored predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from core.analysis.entries import Entry
from core.analysis.mistakes import probabilities
from core.analysis.over_repeats import difference
from core.analysis.paired import mcnemar


@dataclass(frozen=True)
class Answers:
    """What one run answered, in the order of `index`.

    Attributes:
        index: int `(n,)`, ascending: places of the images in the dataset.
        label: int `(n,)`, the true classes.
        predicted: int `(n,)`.
        confidence: float `(n,)`, the probability of the predicted class.
        images: Names these images; equal for runs that answered the same ones.
    """

    index: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    images: str

    @property
    def right(self) -> np.ndarray:
        """bool `(n,)`."""
        return self.predicted == self.label


def answers(predictions: pd.DataFrame, fingerprint: str) -> Answers:
    """Return the answers of a run.

    Args:
        predictions: As `frames.predictions` gives them.
        fingerprint: Of the dataset's version.
    """
    rows = predictions.sort_values("index", kind="stable")
    given = probabilities(rows)
    index, label = rows["index"].to_numpy(np.int64), rows["label"].to_numpy(np.int64)
    named = sha256(fingerprint.encode() + index.tobytes() + label.tobytes()).hexdigest()
    return Answers(index, label, given.argmax(axis=1), given.max(axis=1), named)


def images_of(entry: Entry, answered: Mapping[str, Answers]) -> str | None:
    """Name the test images of an entry; None where a run has no answers, or its runs had different ones."""
    named = {answered[one].images if one in answered else None for one in entry.run_ids}
    return named.pop() if len(named) == 1 else None


def right_counts(entry: Entry, answered: Mapping[str, Answers]) -> np.ndarray:
    """Return how many runs of an entry got each image right, int `(n,)`; all answered the same images."""
    return np.sum([answered[one].right for one in entry.run_ids], axis=0)


def differences(a: Entry, b: Entry, answered: Mapping[str, Answers]) -> np.ndarray:
    """Return by how much A is better than B on each image, int `(n,)`.

    Groups of unequal size are weighted, so that each counts as a whole.
    """
    return right_counts(a, answered) * len(b.run_ids) - right_counts(b, answered) * len(a.run_ids)


def paired_test(a: Entry, b: Entry, answered: Mapping[str, Answers]) -> tuple[float, str]:
    """Return p and the name of the test that two entries are equally good, on the same test images.

    McNemar's for two runs. With several runs of one of them chance chose the seeds as well as the images, and
    the test counts both.
    """
    if not a.is_group and not b.is_group:
        gaps = differences(a, b, answered)
        return mcnemar(int((gaps > 0).sum()), int((gaps < 0).sum())), "McNemar's test"
    first, second = (np.stack([answered[one].right for one in entry.run_ids], axis=1) for entry in (a, b))
    return difference(first, second).p, "t test over images and runs"


def most_common(entries: Sequence[Entry], answered: Mapping[str, Answers]) -> list[Entry]:
    """Return the largest set of entries that were tested on the same images; of equal ones the first."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if (named := images_of(entry, answered)) is not None:
            groups.setdefault(named, []).append(entry)
    return max(groups.values(), key=len, default=[])
