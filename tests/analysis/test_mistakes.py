"""Confusion matrix and worst mistakes, on predictions small enough to count by hand."""

import numpy as np
import pandas as pd

from core.analysis.mistakes import confusion_matrix, worst_mistakes

PREDICTIONS = pd.DataFrame(
    {
        "index": [10, 11, 12, 13],
        "label": [0, 0, 1, 2],
        "source_name": ["a", "b", "c", "d"],
        "p0": [0.9, 0.3, 0.6, 0.1],
        "p1": [0.1, 0.7, 0.3, 0.2],
        "p2": [0.0, 0.0, 0.1, 0.7],
        "place": [1, 1, 1, 1],  # of another program: no probability
    }
)


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    assert confusion_matrix(PREDICTIONS).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_classes_without_images_have_their_row_and_column() -> None:
    only_first = PREDICTIONS.head(1)
    assert confusion_matrix(only_first).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_mistakes_of_equal_confidence_keep_the_order_of_the_images() -> None:
    count = 40  # more than a sort that keeps no order leaves alone
    table = pd.DataFrame({"index": np.arange(count), "label": 0, "source_name": "a", "p0": 0.25, "p1": 0.75})
    table.loc[::2, ["p0", "p1"]] = 0.125, 0.875
    expected = [*range(0, count, 2), *range(1, count, 2)]
    wrong = worst_mistakes(table, count)
    assert wrong["index"].tolist() == expected
    assert wrong.index.tolist() == list(range(count))


def test_worst_mistakes_come_first_and_right_answers_never() -> None:
    wrong = worst_mistakes(PREDICTIONS)
    columns = ["index", "label", "source_name", "predicted", "confidence", "probability_of_label"]
    assert wrong.columns.tolist() == columns
    assert wrong["index"].tolist() == [11, 12]
    assert wrong["predicted"].tolist() == [1, 0]
    assert wrong["confidence"].tolist() == [0.7, 0.6]
    assert wrong["probability_of_label"].tolist() == [0.3, 0.3]
    assert worst_mistakes(PREDICTIONS, 1)["source_name"].tolist() == ["b"]
