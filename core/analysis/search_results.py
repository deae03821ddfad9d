"""What a search came to, from what its runs have logged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from core.analysis.entries import Entry
from core.analysis.values import validation_accuracy
from core.tracking import schema
from core.tracking.run import Run

FINISHED, PRUNED, FAILED, UNDER_WAY = "finished", "pruned", "failed", "under way"


class TrialResult(NamedTuple):
    """One trial. value: mean validation accuracy over its runs; None unless all have finished."""

    number: int
    state: str
    value: float | None
    runs: tuple[Run, ...]

    @property
    def entry(self) -> Entry:
        """The trial as it is compared with others: a run, or the group of its seeds."""
        ids = tuple(run.run_id for run in self.runs)
        name = f"trial {self.number}"
        return Entry(ids[0] if len(ids) == 1 else f"group-{min(ids)}", name, ids)


def trials(name: str, runs: Iterable[Run], seeds: int = 1) -> list[TrialResult]:
    """Return the trials of a search in the order of their numbers.

    Args:
        runs: Of the store, with their tags and validation accuracies; those of other searches are left out.
        seeds: How many runs a trial has once all are launched; with fewer it is under way.
    """
    found: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        number = run.tags.get(schema.TRIAL, "")
        if run.tags.get(schema.SEARCH) == name and number.isdecimal():
            found[int(number)].append(run)
    return [_trial(number, members, seeds) for number, members in sorted(found.items())]


def _trial(number: int, runs: Sequence[Run], seeds: int) -> TrialResult:
    ordered = tuple(sorted(runs, key=lambda run: run.whole_setting("seed")))
    if any(schema.PRUNED in run.tags for run in runs):
        return TrialResult(number, PRUNED, None, ordered)
    if any(run.status in (schema.FAILED, schema.KILLED) for run in runs):
        return TrialResult(number, FAILED, None, ordered)
    values = [validation_accuracy(run) for run in runs if run.status == schema.FINISHED]
    known = [value for value in values if value is not None]
    if len(known) < len(values):  # it has ended without what is searched for
        return TrialResult(number, FAILED, None, ordered)
    if len(known) < max(len(runs), seeds):
        return TrialResult(number, UNDER_WAY, None, ordered)
    return TrialResult(number, FINISHED, fmean(known), ordered)


def best(found: Sequence[TrialResult]) -> TrialResult | None:
    """Return the finished trial with the largest value, of equal ones the first; None without one."""
    finished = [one for one in found if one.value is not None]
    return max(finished, key=lambda one: one.value or 0.0, default=None)
