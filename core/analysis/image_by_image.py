"""Two or more models on the same images: which of them gets which image right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.evaluated_images import EvaluatedImages
from core.analysis.mistakes import answers


@dataclass(frozen=True)
class Pair:
    """What two models answered to the same images.

    Attributes:
        table: One row per image: index, label, and of each model predicted_a, confidence_a, predicted_b and
            confidence_b.
        right_a: bool `(n,)`, as right_b.
    """

    table: pd.DataFrame
    right_a: np.ndarray
    right_b: np.ndarray

    @property
    def agreement(self) -> float:
        """The share of the images for which both predict the same class, right or wrong."""
        return float((self.table["predicted_a"] == self.table["predicted_b"]).mean())

    def only_a(self) -> pd.DataFrame:
        """Return the images that A alone gets right, those first of which B is most confident."""
        return _sorted(self.table[self.right_a & ~self.right_b], "confidence_b")

    def only_b(self) -> pd.DataFrame:
        """Return the images that B alone gets right, those first of which A is most confident."""
        return _sorted(self.table[self.right_b & ~self.right_a], "confidence_a")

    def neither(self) -> pd.DataFrame:
        """Return the images that both get wrong, those first of which both are most confident."""
        return _by_both(self.table[~(self.right_a | self.right_b)])

    def in_cell(self, label: int, predicted: int) -> pd.DataFrame:
        """Return the images of a cell of either confusion matrix, those of one of them first."""
        of_class = self.table[self.table["label"] == label]
        a, b = (of_class[f"predicted_{one}"] == predicted for one in "ab")
        return pd.concat([_by_both(of_class[a ^ b]), _by_both(of_class[a & b])], ignore_index=True)

    def matrices(self, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the confusion matrices of both, int `(classes, classes)`."""
        first, second = (np.zeros((classes, classes), "int64") for _ in range(2))
        for matrix, name in ((first, "predicted_a"), (second, "predicted_b")):
            np.add.at(matrix, (self.table["label"], self.table[name]), 1)
        return first, second


def by_image(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return `mistakes.answers` of a run in the order of the images in the dataset."""
    return answers(predictions).sort_values("index", kind="stable", ignore_index=True)


def on_same_images(images: Mapping[str, EvaluatedImages]) -> list[str]:
    """Return the largest set of runs that answered the same images; of equal ones the first.

    Args:
        images: What each run was tested on, by its id.
    """
    groups: dict[EvaluatedImages, list[str]] = {}
    for run_id, those in images.items():
        groups.setdefault(those, []).append(run_id)
    return max(groups.values(), key=len, default=[])


def pair(a: pd.DataFrame, b: pd.DataFrame) -> Pair:
    """Join what two models answered (`by_image`). Raises ValueError where the images differ."""
    if not (a["index"].equals(b["index"]) and a["label"].equals(b["label"])):
        raise ValueError("Both models must have answered the same images.")
    table = a[["index", "label"]].assign(
        predicted_a=a["predicted"],
        confidence_a=a["confidence"],
        predicted_b=b["predicted"],
        confidence_b=b["confidence"],
    )
    return Pair(table, _right(a), _right(b))


def right_together(answered: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return how many images exactly k of the models get right, for k = 0 to their number, int `(m + 1,)`.

    answered: `by_image` of each, of the same images.
    """
    right = np.sum([_right(one) for one in answered], axis=0)
    return np.bincount(right, minlength=len(answered) + 1)


def _right(answered: pd.DataFrame) -> np.ndarray:
    return (answered["predicted"] == answered["label"]).to_numpy()


def _sorted(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table.sort_values(column, ascending=False, kind="stable", ignore_index=True)


def _by_both(table: pd.DataFrame) -> pd.DataFrame:
    both = table["confidence_a"] + table["confidence_b"]
    return table.loc[both.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
