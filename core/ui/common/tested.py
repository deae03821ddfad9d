"""The test answers of entries, read from the store, as comparisons of models take them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from core.analysis import evidence, looks
from core.analysis.entries import Entry, run_ids_of
from core.analysis.evidence import Answers, Evidence
from core.analysis.winners_curse import BestOf, best_by_validation
from core.tracking.run import Run, runs_of
from core.ui.common import stored_predictions, stored_runs

MOST_CHOICES = 100  # entries whose validation predictions are read: about a second


def runs_by_id(entries: Sequence[Entry]) -> dict[str, Run]:
    """Return all runs of some entries with what a comparison asks of them (`core.analysis.evidence.KEYS`)."""
    return {run.run_id: run for run in runs_of(stored_runs.some(run_ids_of(entries), *evidence.KEYS))}


def state_of(runs: Mapping[str, Run]) -> Hashable:
    """Return what a comparison of runs is cached by: all of them that it reads, beside their predictions.

    It changes when a run ends anew, and when one is archived, restored or found to be trained on test images.

    Args:
        runs: `runs_by_id`.
    """
    return tuple(
        (
            run_id,
            run.status,
            run.ended,
            *(kind.get(key) for kind in (run.params, run.metrics, run.tags) for key in evidence.KEYS),
        )
        for run_id, run in sorted(runs.items())
    )


def gathered(entries: Sequence[Entry], runs: Mapping[str, Run]) -> Evidence:
    """Read the answers of entries that were tested on the same images. runs: `runs_by_id` of them."""

    def read(run_id: str) -> Answers:
        return stored_predictions.answers(runs[run_id])

    return evidence.gather(entries, runs, read)


def chosen_by_validation(entries: Sequence[Entry], runs: Mapping[str, Run]) -> BestOf | None:
    """Return what to expect of the best of entries by their validation predictions.

    None where not all have such for the same images, or where they are more than `MOST_CHOICES`.

    Args:
        runs: `runs_by_id` of them.
    """

    def read(run_id: str) -> Answers:
        return stored_predictions.validation_answers(runs[run_id])

    if len(entries) > MOST_CHOICES or best_by_validation(entries[:2], runs, read) is None:
        return None  # before hundreds of files are looked for
    return best_by_validation(entries, runs, read)


def looked_at(fingerprint: str) -> int:
    """Return how many runs were evaluated on the test set of a version of a dataset."""
    return looks.looks(stored_runs.columns(*looks.KEYS, archived=True), fingerprint)
