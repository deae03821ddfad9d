"""The test answers of entries, read from the store, as comparisons of models take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.analysis import evidence, looks
from core.analysis.entries import Entry, run_ids_of
from core.analysis.evidence import Answers, Evidence
from core.tracking.run import Run, runs_of
from core.ui.common import reads


def runs_by_id(entries: Sequence[Entry]) -> dict[str, Run]:
    """Return all runs of some entries with what a comparison asks of them (`core.analysis.evidence.KEYS`)."""
    every = reads.columns(*evidence.KEYS)
    return {run.run_id: run for run in runs_of(every[every["run_id"].isin(run_ids_of(entries))])}


def state_of(runs: Mapping[str, Run]) -> tuple[tuple[str, str, object], ...]:
    """Return what a comparison of runs is cached by: it changes when one of them ends anew."""
    return tuple((run_id, run.status, run.ended) for run_id, run in sorted(runs.items()))


def gathered(entries: Sequence[Entry], runs: Mapping[str, Run]) -> Evidence:
    """Read the answers of entries that were tested on the same images. runs: `runs_by_id` of them."""

    def read(run_id: str) -> Answers:
        return reads.answers(runs[run_id])

    return evidence.gather(entries, runs, read)


def looked_at(fingerprint: str) -> int:
    """Return how many runs were evaluated on the test set of a version of a dataset."""
    return looks.looks(reads.columns(*looks.KEYS), fingerprint)
