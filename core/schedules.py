"""Learning-rate schedules: one formula each, for the training and for the curve that a person sees before it.

Every function takes steps as they are counted from 0, of whatever array kind `xp` computes with (NumPy or
`keras.ops`), and returns shares of the config's learning rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from core.config import ExperimentConfig, ScheduleConfig
from core.config.learning import numbers

ONE_CYCLE_START = 1 / 25  # of the highest rate; "Super-Convergence", arXiv:1708.07120, leaves it open
ONE_CYCLE_END = ONE_CYCLE_START / 10_000
RANGE = 1e-6  # a range test begins at this share of the rate that it ends with


@dataclass(frozen=True)
class Length:
    """How long a run is, in optimizer steps."""

    steps_per_epoch: int
    total: int  # steps

    @property
    def epochs(self) -> int:
        """How many epochs are begun; the last may be shorter."""
        return math.ceil(self.total / self.steps_per_epoch)


def length(config: ExperimentConfig, images: int) -> Length:
    """The length of a run that trains on so many images an epoch."""
    per_epoch = math.ceil(images / config.training.images_per_step)
    return Length(per_epoch, config.training.steps or config.training.epochs * per_epoch)


@dataclass(frozen=True)
class Stage:
    """Epochs `[first, end)` of a run. until: the step of the run up to which its optimizer serves.

    begins: with an optimizer of its own. steps: of its epochs, where they are shorter than a whole one.
    unfrozen: whether the backbone learns.
    """

    first: int
    end: int
    until: int
    begins: bool = True
    steps: int | None = None
    unfrozen: bool = False


def stages(config: ExperimentConfig, run: Length) -> list[Stage]:
    """A backbone that is unfrozen later makes two stages; steps that fill no epoch make a last, short one."""
    whole, rest = divmod(run.total, run.steps_per_epoch)
    cut = config.model.unfreeze_epoch
    found = []
    if cut:
        found.append(Stage(0, min(cut, whole), min(cut * run.steps_per_epoch, run.total)))
    if cut < whole:
        found.append(Stage(cut, whole, run.total, unfrozen=cut > 0))
    if rest:
        begins = whole in (0, cut)
        found.append(Stage(whole, whole + 1, run.total, begins, rest, unfrozen=0 < cut <= whole))
    return [stage for stage in found if stage.first < stage.end]


def learning_rate(config: ExperimentConfig, run: Length, step: Any, xp: Any = np) -> Any:
    """The rate at a step, or at an array of steps; what a plateau makes of it comes on top."""
    part = config.schedule
    warmup = min(round(part.warmup_epochs * run.steps_per_epoch), run.total - 1)
    share = _share(part, run, warmup, step, xp)
    if warmup:
        share = xp.where(step < warmup, step / warmup, share)
    return config.optimizer.learning_rate * share


def of_stage(config: ExperimentConfig, stage: Stage) -> ExperimentConfig:
    """The config that a stage's optimizer is made from: the rate of an unfrozen one is its own."""
    if not stage.unfrozen:
        return config
    return config.with_values({"optimizer.learning_rate": config.model.unfreeze_learning_rate})


def curve(config: ExperimentConfig, run: Length, points: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Steps and rates for drawing: both float64 `(n,)`, n at most `points`. Each stage begins anew."""
    steps = np.unique(np.linspace(0, run.total - 1, points).round())
    rates = np.empty(len(steps))
    for stage in stages(config, run):
        if stage.begins:
            first = stage.first * run.steps_per_epoch
            there = (steps >= first) & (steps < stage.until)
            serves = Length(run.steps_per_epoch, stage.until - first)
            rates[there] = learning_rate(of_stage(config, stage), serves, steps[there] - first)
    return steps, rates


def rate_at(config: ExperimentConfig, run: Length, step: int) -> float:
    """The rate at one step of a run, counted from 0, in whichever stage it lies."""
    stage = [one for one in stages(config, run) if one.begins and one.first * run.steps_per_epoch <= step][-1]
    first = stage.first * run.steps_per_epoch
    serves = Length(run.steps_per_epoch, stage.until - first)
    return float(learning_rate(of_stage(config, stage), serves, np.float64(step - first)))


def _share(part: ScheduleConfig, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    every = part.every_epochs * run.steps_per_epoch
    match part.name:
        case "step":
            return part.factor ** xp.floor(step / every)
        case "exponential":
            return part.factor ** (step / every)
        case "inverse_time":
            return 1 / (1 + part.decay * step)
        case "piecewise":
            return _piecewise(part, run, step, xp)
        case "cosine":
            return _cosine(part, run.total - warmup, step - warmup, xp)
        case "one_cycle":
            return _one_cycle(part.rise, run.total - warmup, step - warmup, xp)
        case "range_test":
            return RANGE ** (1 - step / max(1, run.total - 1))
        case _:
            return step * 0 + 1.0


def _piecewise(part: ScheduleConfig, run: Length, step: Any, xp: Any) -> Any:
    """Constant between boundaries; the step whose number is a boundary has the new rate."""
    unit = run.steps_per_epoch if part.boundaries_in == "epochs" else 1
    places = numbers(part.boundaries)
    factors = numbers(part.factors) or [part.factor**position for position in range(1, len(places) + 1)]
    share = step * 0 + 1.0
    for place, factor in zip(places, factors, strict=True):
        share = xp.where(step >= round(place * unit), factor, share)
    return share


def _cosine(part: ScheduleConfig, total: int, step: Any, xp: Any) -> Any:
    """From 1 to `final` in every cycle: "SGDR", arXiv:1608.03983, equation 5."""
    relative = [part.restart_growth**position for position in range(part.restarts + 1)]
    lengths = [total * one / sum(relative) for one in relative]
    begun = [0.0, *accumulate(lengths)]
    place = step / lengths[0]
    for start, duration in list(zip(begun, lengths, strict=False))[1:]:
        place = xp.where(step >= start, (step - start) / duration, place)
    return part.final + (1 - part.final) * _falling(place, xp)


def _one_cycle(rise: float, total: int, step: Any, xp: Any) -> Any:
    peak = max(1.0, rise * total)
    up = ONE_CYCLE_START + (1 - ONE_CYCLE_START) * (1 - _falling(step / peak, xp))
    down = ONE_CYCLE_END + (1 - ONE_CYCLE_END) * _falling((step - peak) / max(1.0, total - peak), xp)
    return xp.where(step < peak, up, down)


def _falling(place: Any, xp: Any) -> Any:
    """Half a cosine: 1 at 0, 0 at 1 and after."""
    return (1 + xp.cos(math.pi * xp.clip(place, 0, 1))) / 2
