"""Which models nobody beats at their price: the Pareto front of accuracy and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.analysis.evidence import Measured
from core.analysis.paired import ALPHA
from core.analysis.pairs import OVER_FOLDS, OVER_IMAGES, OVER_SEEDS, compare_pair
from core.analysis.verdict_words import p_words

TESTS = {
    OVER_IMAGES: "McNemar's test",
    OVER_SEEDS: "t test over images and seeds",
    OVER_FOLDS: "corrected t test over folds",
}


@dataclass(frozen=True)
class Choice:
    """A model that could be chosen.

    Attributes:
        cost: The lower the better.
        accuracy: From 0 to 1.
        low, high: Its 95% interval.
    """

    key: str
    name: str
    cost: float
    accuracy: float
    low: float
    high: float


def front(choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices that are more accurate than every one of at most their cost, the cheapest first."""
    found: list[Choice] = []
    for one in sorted(choices, key=lambda one: (one.cost, -one.accuracy)):
        if not found or one.accuracy > found[-1].accuracy:
            found.append(one)
    return found


def doubtful(choices: Sequence[Choice]) -> list[tuple[Choice, Choice]]:
    """Return the members of the front whose interval overlaps that of a cheaper member, each with that one.

    They may be on the front by luck. Overlapping intervals do not prove it: a paired test on the images that
    both answered decides.
    """
    members = front(choices)
    return [(one, cheaper) for cheaper, one in pairwise(members) if one.low <= cheaper.high]


def why_doubtful(one: Choice, cheaper: Choice, tested: Sequence[Measured], cost: str) -> str:
    """Say whether a choice of `doubtful` is on the front by luck, by the paired test on the same images.

    Args:
        tested: With both of them.
        cost: What the dearer one has more of, in words.
    """
    both = [next(each for each in tested if each.key == key) for key in (one.key, cheaper.key)]
    pair = compare_pair(both, 0, 1, margin=0.0)
    said = f"{one.name} has more {cost} than {cheaper.name}, and their 95% intervals overlap"
    p = f"{TESTS[pair.over]}, {p_words(pair.p)}"
    if pair.p < ALPHA and pair.first == 0:
        return f"{said}, but on the same images {one.name} is better ({p})."
    return f"{said}. On the same images they cannot be told apart ({p}): it may be on the front by luck."
