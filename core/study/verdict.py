"""Which of several entries is best, in ranks and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from core.analysis.answers import Answers, paired_test, right_counts
from core.analysis.entries import Entry
from core.analysis.paired import ALPHA, holm
from core.analysis.ranks import ranks


@dataclass(frozen=True)
class Verdict:
    """ranks: by the keys of the entries; empty for fewer than two."""

    ranks: Mapping[str, int]
    sentences: tuple[str, ...]


def verdict_of(entries: Sequence[Entry], answered: Mapping[str, Answers]) -> Verdict:
    """Rank entries that were tested on the same images, and say who is best."""
    if len(entries) < 2:
        return Verdict({}, ("No two models here were tested on the same images, so none is ranked.",))
    images = len(answered[entries[0].run_ids[0]].index)
    scores = [float(right_counts(entry, answered).mean()) / len(entry.run_ids) for entry in entries]
    pairs = [*combinations(range(len(entries)), 2)]
    p = holm([paired_test(entries[a], entries[b], answered)[0] for a, b in pairs])
    differ = np.zeros((len(entries), len(entries)), dtype=bool)
    for (a, b), one in zip(pairs, p, strict=True):
        differ[a, b] = differ[b, a] = one < ALPHA
    found = dict(zip((entry.key for entry in entries), ranks(scores, differ), strict=True))
    on, best = f"{images:,} test images", [entry.name for entry in entries if found[entry.key] == 1]
    if len(best) == 1:
        said = f"{best[0]} is best, with {max(scores):.2%} of {on} right."
    elif len(best) == len(entries):
        said = f"These {len(best)} cannot be told apart on {on}."
    else:
        said = f"{', '.join(best[:-1])} and {best[-1]} are best, and cannot be told apart on {on}."
    return Verdict(found, (said,))
