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


def worst_mistakes(predictions: pd.DataFrame, count: int = 24) -> pd.DataFrame:
    """Return the most confident wrong predictions, the most confident first.

    Returns:
        Rows of index, label, source_name, predicted, confidence (probability of the predicted class) and
        probability_of_label.
    """
    given = probabilities(predictions)
    labels = predictions["label"].to_numpy()
    table = predictions[["index", "label", "source_name"]].assign(
        predicted=given.argmax(axis=1),
        confidence=given.max(axis=1),
        probability_of_label=given[np.arange(len(labels)), labels],
    )
    wrong = table[table["predicted"] != table["label"]]
    return wrong.sort_values("confidence", ascending=False, kind="stable").head(count).reset_index(drop=True)
