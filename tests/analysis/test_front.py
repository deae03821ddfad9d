"""The front holds what nothing beats at its price, and says by a paired test who is on it by luck."""

import numpy as np

from core.analysis.evidence import Measured
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


def measured(name: str, right: list[bool]) -> Measured:
    """One run."""
    return Measured(name, name, (name,), np.array(right)[:, None], ("0",), (), 0, np.array([0.8]))


def test_luck_is_decided_by_the_images_that_one_alone_gets_right() -> None:
    def said(only_a: int, only_b: int) -> str:
        a = measured("A", [True] * (only_a + 100) + [False] * only_b)
        b = measured("B", [False] * only_a + [True] * (100 + only_b))
        return why_doubtful(choice("A", 2, 0.8), choice("B", 1, 0.79), [b, a], "parameters")

    assert said(92, 36) == (
        "A has more parameters than B, and their 95% intervals overlap, but on the same images A is better "
        "(McNemar's test, p = 8e-7)."
    )
    assert said(4, 3).endswith("apart (McNemar's test, p = 1): it may be on the front by luck.")
