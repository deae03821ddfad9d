"""What cannot be told apart shares a rank."""

from __future__ import annotations

import numpy as np

from core.analysis.ranks import ranks


def differing(count: int, *pairs: tuple[int, int]) -> np.ndarray:
    differ = np.zeros((count, count), bool)
    for a, b in pairs:
        differ[a, b] = differ[b, a] = True
    return differ


def test_three_equals_share_the_first_rank_and_the_next_is_the_fourth() -> None:
    differ = differing(5, (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4))
    assert ranks([0.95, 0.94, 0.96, 0.90, 0.89], differ) == [1, 1, 1, 4, 4]


def test_all_different_and_all_equal() -> None:
    assert ranks([0.1, 0.3, 0.2], ~np.eye(3, dtype=bool)) == [3, 1, 2]
    assert ranks([0.1, 0.3, 0.2], np.zeros((3, 3), bool)) == [1, 1, 1]
    assert ranks([], np.zeros((0, 0), bool)) == []


def test_what_cannot_be_told_from_the_best_shares_its_rank_though_something_better_does_not() -> None:
    assert ranks([0.96, 0.95, 0.94], differing(3, (0, 1))) == [1, 3, 1]
