"""Confusion matrix and orders of images, on predictions small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.mistakes import (
    answers,
    by_confusion,
    confusion_matrix,
    in_cell,
    least_certain,
    surest_right,
    worst,
)

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
    wrong = worst(answers(table))
    assert wrong["index"].tolist() == expected
    assert wrong.index.tolist() == list(range(count))


def test_worst_mistakes_come_first_and_right_answers_never() -> None:
    wrong = worst(answers(PREDICTIONS))
    columns = ["index", "label", "source_name", "predicted", "confidence", "probability_of_label", "margin"]
    assert wrong.columns.tolist() == columns
    assert wrong["index"].tolist() == [11, 12]
    assert wrong["predicted"].tolist() == [1, 0]
    assert wrong["confidence"].tolist() == [0.7, 0.6]
    assert wrong["probability_of_label"].tolist() == [0.3, 0.3]
    assert wrong["margin"].tolist() == pytest.approx([0.4, 0.3])


def test_images_are_ordered_by_what_is_asked_of_them() -> None:
    answered = answers(PREDICTIONS)
    assert least_certain(answered)["index"].tolist() == [12, 11, 13, 10]
    assert surest_right(answered)["index"].tolist() == [10, 13]
    assert in_cell(answered, 0, 1)["index"].tolist() == [11]
    assert in_cell(answered, 2, 0).empty


def test_images_of_a_cell_come_most_confident_first() -> None:
    table = pd.DataFrame({"index": [1, 2, 3], "label": 0, "p0": [0.4, 0.1, 0.3], "p1": [0.6, 0.9, 0.7]})
    assert in_cell(answers(table), 0, 1)["index"].tolist() == [2, 3, 1]


def test_classes_that_are_mixed_up_stand_side_by_side() -> None:
    matrix = np.diag([9, 9, 9, 9, 9, 9])
    matrix[0, 4] = matrix[4, 0] = 2  # 0 and 4, 1 and 5
    matrix[1, 5] = 5
    order = by_confusion(matrix).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    assert {*order[:2]} == {1, 5}
    assert {*order[2:4]} == {0, 4}
    assert by_confusion(np.diag([3, 3])).tolist() == [0, 1]
