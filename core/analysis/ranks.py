"""Ranks in classes: what cannot be told from the best of a class shares its rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ranks(scores: Sequence[float], differ: np.ndarray) -> list[int]:
    """Rank scores so that those which cannot be told from the best share its rank: 1, 1, 1, 4.

    The best score opens a class, and everything that cannot be told from it joins, whatever lies between; the
    best of the rest opens the next class, whose rank counts all that went before. So nobody is ranked below
    the best without a test that says so; two members of one class may still differ from each other.

    Args:
        scores: The higher the better, finite.
        differ: bool `(n, n)`, symmetric: which two can be told apart.

    Returns:
        The rank of each, from 1, in the order of the scores.
    """
    found = [0] * len(scores)
    best_first = sorted(range(len(scores)), key=lambda one: -scores[one])
    left = best_first
    while left:
        leader, rank = left[0], 1 + len(scores) - len(left)
        for one in left:
            if one == leader or not differ[leader, one]:
                found[one] = rank
        left = [one for one in left if not found[one]]
    return found
