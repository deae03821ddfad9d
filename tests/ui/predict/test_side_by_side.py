"""How an answer lies to the truth."""

from __future__ import annotations

import math

from core.analysis.agreement import said, said_by_promise
from core.ui.predict.side_by_side import against_truth

CLASSES = ("3", "5", "8", "0")


def test_an_answer_is_compared_with_the_truth_unless_a_person_is_asked() -> None:
    sure, unsure = said(CLASSES, (0.9, 0.1, 0, 0), 0.5), said(CLASSES, (0.5, 0.4, 0.1, 0), 0.8)
    person = said_by_promise(CLASSES, (0.9, 0.1, 0, 0), math.inf, 0.9)
    assert [against_truth(one, "3", CLASSES) for one in (sure, unsure, person)] == [
        "right", "among these", None,
    ]  # fmt: skip
    assert [against_truth(one, "8", CLASSES) for one in (sure, unsure, person)] == [
        "wrong", "none of these", None,
    ]  # fmt: skip
    assert against_truth(person, "cat", CLASSES) == "not among its classes"
