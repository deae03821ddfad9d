"""When will runs start and end? Told by what like runs took on this machine, never by a guess."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from core.analysis.values import number
from core.tracking import schema
from core.tracking.run_state import progress_of

# Runs are like each other when these are equal, and the options of their nets; the first is asked first.
ALIKE = (
    ("model.name", "data.name", "training.batch_size", "model.resize", "model.freeze"),
    ("model.name", "data.name"),
)
DEVICE_KIND = "device_kind"  # a column beside those of the store: runs on a CPU tell nothing of a GPU
# What is read of each run.
KEYS = (
    schema.EXTENDS,
    *ALIKE[0],
    "model.options.",
    "training.epochs",
    "training.steps",
    "train_seconds",
    schema.PACE,
    schema.PROGRESS,
    schema.STARTED,
)
EXTENDS = f"tags.{schema.EXTENDS}"
MEASURED = f"tags.{schema.PACE}"
Kind = tuple[tuple[str, str], ...]
Run: TypeAlias = "pd.Series | Mapping[str, Any]"  # of `frames.runs`; dicts are read far faster


@dataclass(frozen=True)
class Expected:
    """Seconds from now until a run starts and ends; None: nobody can say."""

    starts: float | None
    ends: float | None


@dataclass(frozen=True)
class Pace:
    """What runs take: seconds whatever their length, and seconds an epoch or a step."""

    fixed: float
    per_unit: float


class Experience:
    """What finished runs took. runs: as `frames.runs` gives them, with `KEYS` at least."""

    def __init__(self, runs: pd.DataFrame):
        self._paces: dict[tuple[Any, ...], Pace | None] = {}
        options = sorted(column for column in runs if column.startswith("params.model.options."))
        device = (DEVICE_KIND,) if DEVICE_KIND in runs else ()
        self._exactly = (*device, *(f"params.{name}" for name in ALIKE[0]), *options)
        self._nearly = (*device, *(f"params.{name}" for name in ALIKE[1]))
        took = runs.get("metrics.train_seconds", pd.Series(dtype=float))
        extended = runs.get(EXTENDS, pd.Series(dtype=object)).reindex(runs.index).notna()  # they began late
        finished = (runs["status"] == schema.FINISHED) & took.reindex(runs.index).notna()
        self._finished = runs[finished & ~extended]
        self._running = runs[runs["status"] == schema.RUNNING]
        ids, epochs = runs.get("run_id", runs.index), runs.get("last_epoch", [])
        self._epochs = {run_id: epoch for run_id, epoch in zip(ids, epochs, strict=False) if epoch == epoch}
        measured = runs.get(MEASURED, pd.Series(dtype=object))
        self._measured = runs[measured.reindex(runs.index).notna()]

    def seconds(self, run: Run) -> float | None:
        """How long a run will take from its start to its end; None where nothing is known of its like.

        What finished runs took counts more than how fast one trains now, and that more than what a few steps
        of a like run told.
        """
        unit, count = work(run)
        of_kind = kind(run, self._exactly)
        for rows, key in (
            (self._finished, of_kind),
            (self._running, of_kind),
            (self._measured, of_kind),
            (self._finished, kind(run, self._nearly)),
        ):
            pace = self._pace(rows, unit, key)
            if pace is not None:
                return pace.fixed + max(0.0, count - self._done(run, unit)) * pace.per_unit
        return None

    def _done(self, run: Run, unit: str) -> float:
        """Epochs that lie behind a run which waits: of an attempt before, or of the run that it extends."""
        if unit != "epochs" or run["status"] != schema.SCHEDULED:
            return 0.0
        before = run.get(EXTENDS)
        own = self._epochs.get(run.get("run_id"), 0.0)
        return max(own, self._epochs.get(before, 0.0) if isinstance(before, str) else 0.0)

    def unknown(self, runs: Iterable[Run]) -> list[str]:
        """Of runs of which nothing is known, one of each kind: the ids of those worth measuring."""
        found: dict[tuple[str, Kind], str] = {}
        for run in runs:
            if self.seconds(run) is None:
                found.setdefault((work(run)[0], kind(run, self._exactly)), run["run_id"])
        return list(found.values())

    def _pace(self, rows: pd.DataFrame, unit: str, key: Kind) -> Pace | None:
        wanted = (rows is self._finished, rows is self._running, unit, key)
        if wanted not in self._paces:
            like = rows
            for column, value in key:
                like = like[like[column].astype(str) == value] if column in like else like.iloc[:0]
            found = [row for _, row in like.iterrows() if work(row)[0] == unit]
            tell = _median if rows is self._finished else _so_far if rows is self._running else _told
            self._paces[wanted] = tell(found)
        return self._paces[wanted]


def kind(run: Run, columns: Sequence[str]) -> Kind:
    """What a run has in common with those that it is like, by column."""
    return tuple((column, str(run.get(column))) for column in columns)


def work(run: Run) -> tuple[str, int]:
    """How long a run is: in steps where its config counts them, else in epochs."""
    steps = whole(run.get("params.training.steps"))
    return ("steps", steps) if steps else ("epochs", whole(run.get("params.training.epochs")))


def whole(value: Any, default: int = 0) -> int:
    """A number that a run logged as text; the default where it logged none, as earlier versions did."""
    found = number({"": value}, "") if isinstance(value, str) else math.nan
    return int(found) if math.isfinite(found) else default


def remaining(run: Run, experience: Experience, now: float) -> float | None:
    """Seconds that a RUNNING run still takes: as it says itself, else by like runs. now: since 1970."""
    told = progress_of(run.get(f"tags.{schema.PROGRESS}"))
    if "remaining_s" in told:
        return float(told["remaining_s"])
    seconds, started = experience.seconds(run), number(run, f"tags.{schema.STARTED}")
    if seconds is None or not math.isfinite(started):
        return None
    return max(0.0, seconds - (now - started / 1000))


@dataclass(frozen=True)
class Wish:
    """What a run that waits takes.

    seconds: None: nobody knows. devices: how many. fits: which may serve. passable: whether others start
    before it where it has to wait. passes: whether it starts before others that have to.
    """

    seconds: float | None
    devices: int = 1
    fits: Callable[[str], bool] = lambda device: True
    passable: bool = False
    passes: bool = False


def timetable(
    running: Iterable[tuple[float | None, Sequence[str]]], waiting: Sequence[Wish], slots: Sequence[str]
) -> list[Expected]:
    """When those that wait start and end, in their order.

    running: what is left of those that run, None where that is unknown, and the devices they have. slots: the
    devices there are, one entry for each training at once. What comes after something unknown on the same
    devices is unknown too.
    """
    free = [(0.0, device) for device in slots]
    for left, devices in running:
        for device in devices:
            with suppress(ValueError):  # a slot that is no more
                free.remove((0.0, device))
                free.append((math.inf if left is None else left, device))
    found, nobody_before = [], 0.0
    for wish in waiting:
        earliest: dict[str, float] = {}
        for at, device in sorted(free):
            if wish.fits(device):
                earliest.setdefault(device, at)
        taken = list(earliest.items())[: wish.devices]
        first = 0.0 if wish.passes else nobody_before
        start = max(first, *(at for _, at in taken)) if len(taken) == wish.devices else math.inf
        nobody_before = nobody_before if wish.passable else start
        end = math.inf if wish.seconds is None else start + wish.seconds
        for device, at in taken:
            free.remove((at, device))
            free.append((end, device))
        found.append(Expected(_known(start), _known(end)))
    return found


def _so_far(runs: list[pd.Series]) -> Pace | None:
    """How fast the latest trains now, by what it says itself; from its start until it trains is not known."""
    for run in runs:
        told = progress_of(run.get(f"tags.{schema.PROGRESS}"))
        left = told.get("steps", 0) - told.get("step", 0)
        if left > 0 and "remaining_s" in told:
            return Pace(0.0, told["remaining_s"] / left * told["steps"] / max(1, work(run)[1]))
    return None


def _told(runs: list[pd.Series]) -> Pace | None:
    """The latest that a few steps told; a tag that is no pace tells nothing."""
    for run in runs:
        with suppress(ValueError, TypeError):
            pace = Pace(**json.loads(run[MEASURED]))
            if math.isfinite(pace.fixed) and math.isfinite(pace.per_unit):
                return pace
    return None


def _median(runs: list[pd.Series]) -> Pace | None:
    paces = []
    for run in runs:
        unit, planned = work(run)
        done = planned if unit == "steps" else run["last_epoch"]  # fewer where it stopped early
        trained = float(run["metrics.train_seconds"])
        if not done or not math.isfinite(done) or not math.isfinite(trained):
            continue
        started = number(run, f"tags.{schema.STARTED}")
        lasted = run["ended"].timestamp() - started / 1000 if math.isfinite(started) else trained
        paces.append((max(0.0, lasted - trained), trained / done))
    if not paces:
        return None
    fixed, per_unit = pd.DataFrame(paces).median()
    return Pace(float(fixed), float(per_unit))


def _known(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
