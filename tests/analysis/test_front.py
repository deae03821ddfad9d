"""The front holds what nothing beats at its price, and says by a paired test who is on it by luck."""

import numpy as np
import pandas as pd

from core.analysis.answers import answers, differences, images_of, most_common
from core.analysis.entries import Entry
from core.analysis.front import Choice, doubtful, front, why_doubtful


def choice(name: str, cost: float, accuracy: float, half: float = 0.02) -> Choice:
    return Choice(name, name, cost, accuracy, accuracy - half, accuracy + half)


CHEAP, BEATEN, TWIN, CLOSE, BEST = (
    choice("cheap", 1, 0.80),
    choice("beaten", 2, 0.79),
    choice("twin", 1, 0.78),
    choice("close", 3, 0.82),
    choice("best", 9, 0.95),
)


def test_the_front_is_what_nothing_as_cheap_beats() -> None:
    assert front([BEST, TWIN, CLOSE, BEATEN, CHEAP]) == [CHEAP, CLOSE, BEST]
    assert front([]) == []


def test_members_whose_interval_reaches_a_cheaper_one_are_doubtful() -> None:
    assert doubtful([BEST, CLOSE, CHEAP]) == [(CLOSE, CHEAP)]


def predictions(right: list[bool], first: int = 0) -> pd.DataFrame:
    """Two classes; every image is of class 0."""
    index = np.arange(first, first + len(right))
    p0 = np.where(right, 0.9, 0.2)
    table = pd.DataFrame({"index": index, "label": 0, "p0": p0, "p1": 1 - p0})
    return table.iloc[::-1]  # as a store may give them


A, B = Entry("a", "A", ("a",)), Entry("b", "B", ("b",))
GROUP = Entry("g", "G", ("a", "c"))


def test_answers_are_in_the_order_of_the_images_and_name_them() -> None:
    found = answers(predictions([True, False, True]), "v1")
    assert (found.index.tolist(), found.right.tolist()) == ([0, 1, 2], [True, False, True])
    assert found.confidence.tolist() == [0.9, 0.8, 0.9]
    same, other, later = (
        answers(predictions([False] * 3), "v1").images,
        answers(predictions([True] * 3, first=1), "v1").images,
        answers(predictions([True] * 3), "v2").images,
    )
    assert found.images == same
    assert len({same, other, later}) == 3


def test_only_entries_of_the_same_test_images_are_compared() -> None:
    answered = {
        "a": answers(predictions([True, True]), "v1"),
        "b": answers(predictions([True, False]), "v1"),
        "c": answers(predictions([True, True], first=5), "v1"),
    }
    alone, unknown = Entry("c", "C", ("c",)), Entry("d", "D", ("d",))
    assert most_common([alone, A, unknown, B], answered) == [A, B]
    assert images_of(GROUP, answered) is None
    assert images_of(unknown, answered) is None


def test_a_group_counts_as_one_in_the_differences() -> None:
    answered = {
        "a": answers(predictions([True, False, True]), "v1"),
        "b": answers(predictions([True, False, False]), "v1"),
        "c": answers(predictions([True, True, True]), "v1"),
    }
    assert differences(GROUP, B, answered).tolist() == [0, 1, 2]
    assert differences(B, GROUP, answered).tolist() == [0, -1, -2]


def test_luck_is_decided_by_the_images_that_one_alone_gets_right() -> None:
    def said(only_a: int, only_b: int) -> str:
        a = [True] * (only_a + 100) + [False] * only_b
        b = [False] * only_a + [True] * (100 + only_b)
        answered = {"a": answers(predictions(a), "v1"), "b": answers(predictions(b), "v1")}
        return why_doubtful(choice("A", 2, 0.8), choice("B", 1, 0.79), A, B, answered, "parameters")

    assert said(92, 36).endswith("on the same images A is better (McNemar's test, p = 7.9e-07).")
    assert said(4, 3).endswith("apart (McNemar's test, p = 1): it may be on the front by luck.")
