"""The learning rate of a config over the steps and stages of its run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.components.schedules import Length
from core.config import ExperimentConfig


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
    share = part.component.share(part.values, run, warmup, step, xp)
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
