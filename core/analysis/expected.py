"""Forecasts when runs will start and end, from the times of similar runs on this machine."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from core.tracking import schema
from core.tracking.run import Run

# Settings in which similar runs are equal, beside the options of their models. The first are tried first.
EXACTLY = ("model.name", "data.name", "training.batch_size", "model.resize", "model.freeze")
NEARLY = ("model.name", "data.name")
OPTIONS = "model.options."
# What is read of each run.
KEYS = (
    schema.EXTENDS,
    *EXACTLY,
    OPTIONS,
    "training.epochs",
    "training.steps",
    "train_seconds",
    schema.PACE,
    schema.PROGRESS,
    schema.STARTED,
)


@dataclass(frozen=True)
class Expected:
    """Seconds from now until a run starts and ends; None where it is not known."""

    starts: float | None
    ends: float | None


@dataclass(frozen=True)
class Pace:
    """How long runs take: fixed seconds, plus seconds per epoch or step."""

    fixed: float
    per_unit: float


_Measure: TypeAlias = Callable[[Sequence[Run]], Pace | None]


class SpeedModel:
    """The times of earlier runs, by which those of similar ones are forecast."""

    def __init__(self, runs: Iterable[Run], device_kind: Callable[[Run], str] = lambda run: ""):
        """Collect what runs have logged.

        Args:
            runs: Newest first, with `KEYS` at least.
            device_kind: The kind of device that a run has or will have: runs on a CPU say nothing of a GPU.
        """
        self._device_kind = device_kind
        self._paces: dict[tuple[_Measure, Hashable], Pace | None] = {}
        self._runs: dict[tuple[_Measure, Hashable], list[Run]] = defaultdict(list)
        self._epochs: dict[str, int] = {}
        for run in runs:
            exactly, nearly = self._exactly(run), self._nearly(run)
            if run.last_epoch is not None:
                self._epochs[run.run_id] = run.last_epoch
            # one that extends another began late
            if run.status == schema.FINISHED and "train_seconds" in run.metrics and run.extends is None:
                self._runs[_median, exactly].append(run)
                self._runs[_median, nearly].append(run)
            if run.status == schema.RUNNING:
                self._runs[_reported, exactly].append(run)
            if schema.PACE in run.tags:
                self._runs[_measured, exactly].append(run)

    def seconds(self, run: Run) -> float | None:
        """Forecast how long a run takes from its start to its end; None where no similar run is known.

        Finished runs count more than how fast one trains now, and that more than a few measured steps.
        """
        exactly = self._exactly(run)
        for measure, key in (
            (_median, exactly),
            (_reported, exactly),
            (_measured, exactly),
            (_median, self._nearly(run)),
        ):
            pace = self._pace(measure, key)
            if pace is not None:
                unit, count = work(run)
                return pace.fixed + max(0, count - self._done(run, unit)) * pace.per_unit
        return None

    def unknown(self, runs: Iterable[Run]) -> list[str]:
        """Return the id of one run of each kind of which no time is known: those worth measuring."""
        found: dict[Hashable, str] = {}
        for run in runs:
            if self.seconds(run) is None:
                found.setdefault(self._exactly(run), run.run_id)
        return list(found.values())

    def _done(self, run: Run, unit: str) -> int:
        """Epochs already trained, by an earlier attempt or by the run that this one extends."""
        if unit != "epochs" or run.status != schema.SCHEDULED:
            return 0
        return max(self._epochs.get(run.run_id, 0), self._epochs.get(run.extends or "", 0))

    def _pace(self, measure: _Measure, key: Hashable) -> Pace | None:
        if (measure, key) not in self._paces:
            self._paces[measure, key] = measure(self._runs.get((measure, key), []))
        return self._paces[measure, key]

    def _exactly(self, run: Run) -> Hashable:
        """What all runs share that are alike in every setting that time depends on, and in their unit."""
        options = sorted((name, value) for name, value in run.params.items() if name.startswith(OPTIONS))
        return self._device_kind(run), work(run)[0], *map(run.params.get, EXACTLY), *options

    def _nearly(self, run: Run) -> Hashable:
        return self._device_kind(run), work(run)[0], *map(run.params.get, NEARLY)


def work(run: Run) -> tuple[str, int]:
    """Return the length of a run: `steps` where its config counts them, else `epochs`, and how many."""
    steps = run.whole_setting("training.steps")
    return ("steps", steps) if steps else ("epochs", run.whole_setting("training.epochs"))


def remaining(run: Run, speeds: SpeedModel, now: float) -> float | None:
    """Return the seconds that a RUNNING run still takes: as it reports, else as similar runs took.

    Args:
        now: Seconds since 1970.
    """
    progress = run.progress
    if "remaining_s" in progress:
        return float(progress["remaining_s"])
    seconds = speeds.seconds(run)
    if seconds is None or run.training_started is None:
        return None
    return max(0.0, seconds - (now - run.training_started))


@dataclass(frozen=True)
class ResourceRequest:
    """What a queued run needs.

    Attributes:
        seconds: From its start to its end; None where it is not known.
        devices: How many.
        fits: Whether a device may be one of them.
        passable: Whether later runs may start before it while its devices are busy.
        passes: Whether it may start before earlier runs whose devices are busy.
    """

    seconds: float | None
    devices: int = 1
    fits: Callable[[str], bool] = lambda device: True
    passable: bool = False
    passes: bool = False


def forecast_queue(
    running: Iterable[tuple[float | None, Sequence[str]]],
    waiting: Sequence[ResourceRequest],
    slots: Sequence[str],
) -> list[Expected]:
    """Forecast when queued runs start and end, in their order.

    What follows a run of unknown length on the same devices is unknown too.

    Args:
        running: The seconds that each running run still takes, None where unknown, and its devices.
        slots: The devices, one entry for each run that may train at once.
    """
    free = [(0.0, device) for device in slots]
    for left, devices in running:
        for device in devices:
            with suppress(ValueError):  # a slot that was removed
                free.remove((0.0, device))
                free.append((math.inf if left is None else left, device))
    found, nobody_before = [], 0.0
    for request in waiting:
        earliest: dict[str, float] = {}
        for at, device in sorted(free):
            if request.fits(device):
                earliest.setdefault(device, at)
        taken = list(earliest.items())[: request.devices]
        first = 0.0 if request.passes else nobody_before
        start = max(first, *(at for _, at in taken)) if len(taken) == request.devices else math.inf
        nobody_before = nobody_before if request.passable else start
        end = math.inf if request.seconds is None else start + request.seconds
        for device, at in taken:
            free.remove((at, device))
            free.append((end, device))
        found.append(Expected(_known(start), _known(end)))
    return found


def _reported(runs: Sequence[Run]) -> Pace | None:
    """How fast the newest run trains now, as it reports; how long its start took is not known."""
    for run in runs:
        progress = run.progress
        left = progress.get("steps", 0) - progress.get("step", 0)
        if left > 0 and "remaining_s" in progress:
            per_step = progress["remaining_s"] / left
            return Pace(0.0, per_step * progress["steps"] / max(1, work(run)[1]))
    return None


def _measured(runs: Sequence[Run]) -> Pace | None:
    """The newest pace that a few steps measured; a tag that is no pace is ignored."""
    for run in runs:
        with suppress(ValueError, TypeError):
            pace = Pace(**json.loads(run.tags[schema.PACE]))
            if math.isfinite(pace.fixed) and math.isfinite(pace.per_unit):
                return pace
    return None


def _median(runs: Sequence[Run]) -> Pace | None:
    """The medians over finished runs."""
    paces = []
    for run in runs:
        unit, planned = work(run)
        done = planned if unit == "steps" else run.last_epoch  # fewer where it stopped early
        trained = run.metrics["train_seconds"]
        if not done or not math.isfinite(trained):
            continue
        lasted = trained
        if run.training_started is not None and run.ended is not None:
            lasted = run.ended.timestamp() - run.training_started
        paces.append((max(0.0, lasted - trained), trained / done))
    if not paces:
        return None
    fixed, per_unit = map(median, zip(*paces, strict=True))
    return Pace(fixed, per_unit)


def _known(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
