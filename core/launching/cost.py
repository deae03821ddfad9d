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
    """What some trainings take.

    Attributes:
        runs: How many trainings.
        seconds: That slots are held, by those whose like has been trained.
        unknown: How many have no like here.
        slots: How many there are.
        longest: Seconds of the longest training, which slots cannot divide.
        wanted: Slots that all trainings would hold at once.
    """

    runs: int
    seconds: float
    unknown: int
    slots: int
    longest: float
    wanted: int

    @property
    def used(self) -> int:
        """How many slots the trainings can fill."""
        return min(self.slots, self.wanted)

    @property
    def wait(self) -> float:
        """Seconds from the first start to the last end, at least."""
        return max(self.longest, self.seconds / max(1, self.used))


def cost(configs: Sequence[ExperimentConfig], store: RunStore) -> Cost:
    """Forecast the time of some trainings. Reads the runs of the store."""
    speed = SpeedModel(runs_of(frames.runs(store, KEYS)))
    slots = max(1, len(slots_of(store.settings)))
    known, longest, unknown, wanted = 0.0, 0.0, 0, 0
    for config in configs:
        params = {name: str(value) for name, value in config.flat().items()}
        wanted += config.training.devices
        seconds = speed.seconds(Run("", config.title, schema.SCHEDULED, {}, params=params))
        if seconds is None:
            unknown += 1
        else:
            known += seconds * config.training.devices  # it holds a slot on each
            longest = max(longest, seconds)
    return Cost(len(configs), known, unknown, slots, longest, wanted)


def cost_words(found: Cost) -> str:
    """Say how many trainings a launch makes, and how long they take."""
    runs = f"{found.runs:,} run{'' if found.runs == 1 else 's'}"
    if found.unknown == found.runs:
        return f"{runs}; how long they take is not known, since none of their kind has finished here."
    slots = f" on {found.used} slots" if found.used > 1 else ""
    about = f"{runs}, about {duration(found.wait)}{slots} by the times of similar runs"
    return (
        f"{about}; {found.unknown:,} of them are of a kind not trained here yet."
        if found.unknown
        else f"{about}."
    )
