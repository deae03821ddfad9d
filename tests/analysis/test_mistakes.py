"""Confusion matrix and worst mistakes, on predictions small enough to count by hand."""

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
    }
)


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    assert confusion_matrix(PREDICTIONS).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_worst_mistakes_come_first_and_right_answers_never() -> None:
    wrong = worst_mistakes(PREDICTIONS)
    assert wrong["index"].tolist() == [11, 12]
    assert wrong["predicted"].tolist() == [1, 0]
    assert wrong["confidence"].tolist() == [0.7, 0.6]
    assert wrong["probability_of_label"].tolist() == [0.3, 0.3]
    assert worst_mistakes(PREDICTIONS, 1)["source_name"].tolist() == ["b"]
