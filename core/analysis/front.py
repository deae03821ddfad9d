"""Which models nobody beats at their price: the Pareto front of accuracy and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.analysis.answers import Answers, paired_test
from core.analysis.entries import Entry
from core.analysis.paired import ALPHA


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


def why_doubtful(
    one: Choice,
    cheaper: Choice,
    entry: Entry,
    cheaper_entry: Entry,
    answered: Mapping[str, Answers],
    cost: str,
) -> str:
    """Say whether a choice of `doubtful` is on the front by luck, by the paired test on the same images.

    Args:
        cost: What it has more of, in words.
    """
    p, test = paired_test(entry, cheaper_entry, answered)
    said = f"{one.name} has more {cost} than {cheaper.name}, and their 95% intervals overlap"
    if p < ALPHA:
        return f"{said}, but on the same images {one.name} is better ({test}, p = {p:.2g})."
    return (
        f"{said}. On the same images they cannot be told apart ({test}, p = {p:.2g}): it may be on the front "
        "by luck."
    )
