"""What makes a comparison doubtful: said beside the verdict on the Compare page and in a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from core.analysis import marks
from core.analysis.basis import fingerprint_of
from core.analysis.entries import Entry
from core.analysis.verdict import Verdict
from core.datasets import DatasetInfo, split_report
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore

GAPS = 3  # runs and groups whose gap is said
SPLITS = 5  # splits whose test images are looked for in their training set


def in_training_too(store: RunStore, runs: Iterable[Run], infos: Iterable[DatasetInfo]) -> list[str]:
    """Say which test images of runs are also in their training sets, where their datasets are as they were.

    Args:
        infos: The datasets that can be used now.
    """
    by_split = {run.params.get(schema.SPLIT, ""): run for run in runs}
    current = {(info.name, info.fingerprint) for info in infos}
    shared = [warning for run in [*by_split.values()][:SPLITS] for warning in _shared(store, run, current)]
    return list(dict.fromkeys(shared))


def gaps(verdict: Verdict, entries: Sequence[Entry], runs: Mapping[str, Run]) -> list[str]:
    """Say of which compared entries the validation accuracy is far from the test accuracy."""
    compared = {one.key for one in verdict.entries}
    found = []
    for entry in entries:
        members = [runs[one] for one in entry.run_ids if one in runs]
        ended = [run for run in members if run.status == schema.FINISHED]
        if entry.key in compared and (gap := marks.gap_mark(ended, entry.name)) is not None:
            found.append(gap)
    if len(found) > GAPS:
        found = [*found[:GAPS], f"The same holds for {len(found) - GAPS} more."]
    return found


def _shared(store: RunStore, run: Run, current: set[tuple[str, str]]) -> list[str]:
    fingerprint = fingerprint_of(run)
    if run.dataset is None or (run.dataset, fingerprint) not in current:
        return []
    with suppress(FileNotFoundError, DamagedArtifact, ValueError):
        data = store.config(run.run_id).data
        warnings = split_report.report_of(run.dataset, fingerprint, data).warnings
        return [warning for warning in warnings if "test accuracy is too high" in warning]
    return []
