"""What a launch of several trainings will take, from the times of similar runs of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.analysis.expected import KEYS, SpeedModel
from core.config import ExperimentConfig
from core.jobs.slots import slots_of
from core.system.units import duration
from core.tracking import frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore


class Cost(NamedTuple):
    """runs: how many trainings. seconds: of those whose like has been trained; unknown: how many have not.

    slots: how many train at once.
    """

    runs: int
    seconds: float
    unknown: int
    slots: int


def cost(configs: Sequence[ExperimentConfig], store: RunStore) -> Cost:
    """Forecast the time of some trainings. Reads the runs of the store."""
    speed = SpeedModel(runs_of(frames.runs(store, KEYS)))
    known, unknown = 0.0, 0
    for config in configs:
        params = {name: str(value) for name, value in config.flat().items()}
        seconds = speed.seconds(Run("", config.title, schema.SCHEDULED, {}, params=params))
        if seconds is None:
            unknown += 1
        else:
            known += seconds
    return Cost(len(configs), known, unknown, max(1, len(slots_of(store.settings))))


def cost_words(found: Cost) -> str:
    """Say how many trainings a launch makes, and how long they take."""
    runs = f"{found.runs:,} run{'' if found.runs == 1 else 's'}"
    if found.unknown == found.runs:
        return f"{runs}; how long they take is not known, since none of their kind has finished here."
    slots = f" on {found.slots} slots" if found.slots > 1 else ""
    about = f"{runs}, about {duration(found.seconds / found.slots)}{slots} by the times of similar runs"
    return (
        f"{about}; {found.unknown:,} of them are of a kind not trained here yet."
        if found.unknown
        else f"{about}."
    )
