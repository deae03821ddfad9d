"""The mistakes of a model, from its test predictions (`evaluation/predictions.parquet`)."""

from __future__ import annotations

import numpy as np
import pandas as pd


def probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Return the columns `p0` to `pk` of a run's predictions: float `(n, num_classes)`."""
    count = sum(column.startswith("p") and column[1:].isdigit() for column in predictions.columns)
    return predictions[[f"p{index}" for index in range(count)]].to_numpy()


def confusion_matrix(predictions: pd.DataFrame) -> np.ndarray:
    """Count images, int64 `(num_classes, num_classes)`: rows are true classes, columns predicted."""
    given = probabilities(predictions)
    classes = given.shape[1]
    cells = predictions["label"].to_numpy() * classes + given.argmax(axis=1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def answers(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return what the model answered for each image, in the order of the predictions.

    Returns:
        Rows of index, label, source_name, predicted, confidence (probability of the predicted class),
        probability_of_label and margin (confidence minus the probability of the second class).
    """
    given = probabilities(predictions)
    labels = predictions["label"].to_numpy()
    two = np.partition(given, -2, axis=1)[:, -2:] if given.shape[1] > 1 else np.pad(given, ((0, 0), (1, 0)))
    table = pd.DataFrame({"index": predictions["index"].to_numpy(), "label": labels})
    names = predictions["source_name"] if "source_name" in predictions else table["index"].astype(str)
    return table.assign(
        source_name=names.to_numpy(),
        predicted=given.argmax(axis=1),
        confidence=given.max(axis=1),
        probability_of_label=given[np.arange(len(labels)), labels],
        margin=two[:, 1] - two[:, 0],
    )


def in_cell(answered: pd.DataFrame, label: int, predicted: int) -> pd.DataFrame:
    """Return the images in one cell of the confusion matrix, the most confident first.

    answered: as `answers` returns it.
    """
    found = answered[(answered["label"] == label) & (answered["predicted"] == predicted)]
    return _confident(found)


def worst(answered: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong answers, the most confident first. answered: as `answers` returns it."""
    return _confident(answered[answered["predicted"] != answered["label"]])


def least_certain(answered: pd.DataFrame) -> pd.DataFrame:
    """Return all answers, those with the smallest margin between the best two classes first."""
    return answered.sort_values("margin", kind="stable", ignore_index=True)


def surest_right(answered: pd.DataFrame) -> pd.DataFrame:
    """Return the right answers, the most confident first."""
    return _confident(answered[answered["predicted"] == answered["label"]])


def by_confusion(matrix: np.ndarray) -> np.ndarray:
    """Return the classes in an order in which those that are mixed up most stand first, and side by side.

    Begins with the class in the most mistakes, and goes on with the class that is mixed up most with those
    placed already; where no remaining class is, with the one in the most mistakes.

    Args:
        matrix: Counts, int `(k, k)`.

    Returns:
        int64 `(k,)`, a permutation of the classes.
    """
    mixed = matrix + matrix.T
    np.fill_diagonal(mixed, 0)
    total = mixed.sum(axis=1)
    left = np.ones(len(matrix), bool)
    order: list[int] = []
    near = np.zeros(len(matrix))  # mistakes shared with the classes placed already, the latest count most
    for _ in range(len(matrix)):
        score = np.where(left, near + total / (total.sum() + 1), -1)
        order.append(int(score.argmax()))
        left[order[-1]] = False
        near = near / 2 + mixed[order[-1]]
    return np.array(order, dtype="int64")


def _confident(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)
