"""The test answers of entries, read from the store, as comparisons of models take them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import streamlit as st

from core.analysis import evidence, looks
from core.analysis.entries import Entry, run_ids_of
from core.analysis.evaluated_images import Answers, EvaluatedImages, import_of_run
from core.analysis.evidence import Evidence
from core.analysis.winners_curse import BestOf, best_by_validation
from core.datasets import store as stored
from core.system.settings import Settings, get_settings
from core.tracking.run import Run
from core.ui.common import stored_datasets, stored_predictions, stored_runs
from core.ui.common.kept import BY_HASH

MOST_CHOICES = 100  # entries whose validation predictions are read: about a second


def runs_by_id(entries: Sequence[Entry]) -> dict[str, Run]:
    """Return all runs of some entries with what a comparison asks of them (`core.analysis.evidence.KEYS`)."""
    return {run.run_id: run for run in stored_runs.of_ids(run_ids_of(entries), *evidence.KEYS)}


def state_of(runs: Mapping[str, Run]) -> Hashable:
    """Return what a comparison of runs is cached by: all of them that it reads, beside their predictions.

    It changes when a run ends anew, when one is archived, restored or found to be trained on test images, and
    when its dataset is removed or imported again.

    Args:
        runs: `runs_by_id`.
    """
    import_of = stored_datasets.imports()
    return tuple(
        (
            run_id,
            import_of_run(run, import_of),
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

    return evidence.gather(entries, runs, read, stored_datasets.imports())


def chosen_by_validation(entries: Sequence[Entry], runs: Mapping[str, Run]) -> BestOf | None:
    """Return what to expect of the best of entries by their validation predictions.

    None where not all have such for the same images, or where they are more than `MOST_CHOICES`.

    Args:
        runs: `runs_by_id` of them.
    """

    def read(run_id: str) -> Answers:
        return stored_predictions.validation_answers(runs[run_id])

    import_of = stored_datasets.imports()
    if len(entries) > MOST_CHOICES or best_by_validation(entries[:2], runs, read, import_of) is None:
        return None  # before hundreds of files are looked for
    return best_by_validation(entries, runs, read, import_of)


def looked_at(images: EvaluatedImages, versions: Collection[str]) -> int:
    """Return how many runs were evaluated on some test images (`core.analysis.looks.looks`)."""
    state = (stored_runs.version(), stored.files_state())
    return _looked_at(get_settings(), state, images, tuple(sorted(versions)))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_HASH)
def _looked_at(
    settings: Settings, state: Hashable, images: EvaluatedImages, versions: tuple[str, ...]
) -> int:
    def read(run_id: str) -> Answers:
        return stored_predictions.answers(stored_runs.run(run_id))

    every = stored_runs.columns(*looks.KEYS, archived=True)
    return looks.looks(every, images, versions, read, stored_datasets.imports())
