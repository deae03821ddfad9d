"""Two models on the same images, few enough to count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.analysis.evaluated_images import EvaluatedImages
from core.analysis.image_by_image import by_image, on_same_images, pair, right_together

LABELS = [0, 0, 0, 1, 1, 1]


def answered(predicted: list[int], confidence: list[float], labels: list[int] = LABELS) -> pd.DataFrame:
    first = [share if said == 0 else 1 - share for said, share in zip(predicted, confidence, strict=True)]
    table = pd.DataFrame({"index": np.arange(len(labels)) + 10, "label": labels, "p0": first})
    return by_image(table.assign(p1=1 - table["p0"]).iloc[::-1])


A = answered([0, 0, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.9, 0.6, 0.8])  # right on 10, 11, 13
B = answered([0, 1, 1, 1, 1, 0], [0.9, 0.6, 0.9, 0.9, 0.9, 0.7])  # right on 10, 13, 14


def test_images_are_sorted_by_who_is_right_and_how_sure_the_other_is() -> None:
    found = pair(A, B)
    assert found.agreement == pytest.approx(4 / 6)
    assert found.only_a()["index"].tolist() == [11]
    assert found.only_b()["index"].tolist() == [14]
    assert found.neither()["index"].tolist() == [12, 15]  # 1.6 together, then 1.5
    row = found.only_a().iloc[0]
    assert (row["predicted_a"], row["predicted_b"], row["confidence_b"]) == (0, 1, pytest.approx(0.6))


def test_the_wrong_answers_of_which_the_other_is_most_sure_come_first() -> None:
    right = answered(LABELS, [0.9] * 6)
    wrong = answered([1, 1, 1, 1, 1, 1], [0.6, 0.9, 0.7, 0.9, 0.9, 0.9])
    assert pair(right, wrong).only_a()["index"].tolist() == [11, 12, 10]
    assert pair(wrong, right).only_b()["index"].tolist() == [11, 12, 10]


def test_a_cell_shows_first_the_images_that_only_one_puts_there() -> None:
    found = pair(A, B)
    first, second = found.matrices(2)
    assert first.tolist() == [[2, 1], [2, 1]]
    assert second.tolist() == [[1, 2], [1, 2]]
    assert found.in_cell(0, 1)["index"].tolist() == [11, 12]  # 12 is there for both
    assert found.in_cell(1, 0)["index"].tolist() == [14, 15]


def test_images_are_counted_by_how_many_models_get_them_right() -> None:
    assert right_together([A, B, answered(LABELS, [0.9] * 6)]).tolist() == [0, 2, 2, 2]


def test_models_on_other_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same images"):
        pair(A, answered([0] * 5, [0.9] * 5, [0, 0, 0, 1, 1]))


def test_the_largest_set_of_runs_on_the_same_images_is_compared() -> None:
    these, other = EvaluatedImages("v", "1"), EvaluatedImages("v", "2")
    runs = {"other": other, "a": these, "b": these, "of another import": EvaluatedImages("w", "1")}
    assert on_same_images(runs) == ["a", "b"]
    assert on_same_images({}) == []
