"""What the store has of a search: the runs of each trial, and their validation curve."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from core.tracking import frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore

KEYS = (
    *(schema.SEARCH, schema.TRIAL, schema.PRUNED, "training.keep", "seed"),
    *("best_val_accuracy", "val_accuracy", "macs"),
)


def by_trial(store: RunStore, name: str) -> dict[int, list[Run]]:
    """Return the runs of each trial of a search by its number."""
    found: dict[int, list[Run]] = defaultdict(list)
    # Recent ones are enough, as this process has set all tags that are read; all would be, of a server, every
    # page of every experiment again.
    for run in runs_of(frames.runs(store, KEYS, recent=True, archived=True)):
        number = run.tags.get(schema.TRIAL, "")
        if run.tags.get(schema.SEARCH) == name and number.isdecimal():
            found[int(number)].append(run)
    return found


def curve(store: RunStore, run_ids: list[str], seeds: int) -> dict[int, float]:
    """Return the mean validation accuracy of each epoch that all `seeds` runs of a trial have."""
    frame = frames.histories(store, run_ids, ["val_accuracy"])
    found: dict[int, list[float]] = defaultdict(list)
    for step, value in zip(frame["step"], frame["value"], strict=True):
        found[int(step)].append(float(value))
    return {step: fmean(values) for step, values in found.items() if len(values) == seeds}
