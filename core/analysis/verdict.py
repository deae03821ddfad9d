"""Decides which of several models is better, from their answers for the same test images.

Every two are compared (`core.analysis.pairs`), Holm's method corrects for the number of pairs, and what
cannot be told from the best shares its rank.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.evidence import Evidence, Measured
from core.analysis.paired import ALPHA, cochrans_q, holm
from core.analysis.pairs import Pair, compare_pair, tested_against
from core.analysis.ranks import ranks


@dataclass(frozen=True)
class Verdict:
    """What can be said of entries that were tested on the same images.

    Attributes:
        evidence: The entries, the highest test accuracy first.
        pairs: Of all of them, in the order of the entries.
        ranks: Of each entry; those that cannot be told from the best share 1.
        all_equal: p of Cochran's Q test that all of three or more single runs are equally good.
        margin: Within which accuracies are practically the same, from 0 to 1.
    """

    evidence: Evidence
    pairs: tuple[Pair, ...]
    ranks: tuple[int, ...]
    all_equal: float | None
    margin: float

    @property
    def entries(self) -> tuple[Measured, ...]:
        return self.evidence.tested

    @property
    def best(self) -> tuple[Measured, ...]:
        """The entries of rank 1, the highest accuracy first."""
        return tuple(one for one, rank in zip(self.entries, self.ranks, strict=True) if rank == 1)

    def pair(self, one: int, other: int) -> Pair:
        """Return the pair of two entries by their places."""
        return next(pair for pair in self.pairs if {pair.first, pair.second} == {one, other})


def decide(evidence: Evidence, margin: float = 0.005) -> Verdict:
    """Compare every two entries, and rank all.

    Args:
        margin: Accuracies within it are practically the same, from 0 to 1.
    """
    tested = tuple(sorted(evidence.tested, key=lambda one: -one.accuracy))
    found = [compare_pair(tested, a, b, margin) for a, b in itertools.combinations(range(len(tested)), 2)]
    adjusted = holm([pair.p for pair in found])
    pairs = tuple(replace(pair, adjusted=p) for pair, p in zip(found, adjusted, strict=True))
    differ = np.zeros((len(tested), len(tested)), bool)
    for pair in pairs:
        differ[pair.first, pair.second] = differ[pair.second, pair.first] = pair.differs
    single = len(tested) > 2 and all(one.right.shape[1] == 1 for one in tested)
    q = cochrans_q(np.concatenate([one.right for one in tested], axis=1)) if single else None
    return Verdict(
        evidence=replace(evidence, tested=tested),
        pairs=pairs,
        ranks=tuple(ranks([one.accuracy for one in tested], differ)),
        all_equal=q,
        margin=margin,
    )


def decide_against(evidence: Evidence, best: str) -> tuple[str, ...]:
    """Return the keys of the entries that cannot be told from one that was chosen on other images.

    Each is tested against that one alone, and Holm's method corrects for how many there are: an entry is
    told from the best only where the best is better.

    Args:
        best: The key of the one that was chosen.
    """
    chosen = next(one for one in evidence.tested if one.key == best)
    others = [one for one in evidence.tested if one.key != best]
    found = [tested_against(chosen, other) for other in others]
    adjusted = holm([p for _, p in found])
    return tuple(
        other.key
        for other, (lead, _), p in zip(others, found, adjusted, strict=True)
        if p >= ALPHA or lead < 0
    )
