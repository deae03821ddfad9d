"""The registry of learning-rate schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from core.components.settings import Component, Setting, Values
from core.registry import Registry

EVERY_EPOCHS = Setting("every_epochs", 10.0, "Interval, epochs", gt=0, le=100_000)
FACTOR = Setting("factor", 0.1, "Factor", "The rate is multiplied by it.", gt=0, le=1)


@dataclass(frozen=True)
class Length:
    """How long a run is, in optimizer steps."""

    steps_per_epoch: int
    total: int  # steps

    @property
    def epochs(self) -> int:
        """How many epochs are begun; the last may be shorter."""
        return math.ceil(self.total / self.steps_per_epoch)


class Formula(Protocol):
    """The rate as a share of the config's learning rate.

    Args:
        values: of the settings of the schedule.
        run: how long the run is, warm-up included.
        warmup: steps of it that the warm-up takes; what this formula gives for them is not used.
        step: counted from 0; a number or an array of whatever kind `xp` computes with.
        xp: NumPy or `keras.ops`, so that the curve before a launch is the curve that is trained.
    """

    def __call__(self, values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Schedule(Component):
    """A learning-rate schedule by its formula.

    Attributes:
        share: its formula.
        multiplies: whether it changes the rate by factors, which a logarithmic axis shows best.
        ends_with_run: whether it depends on how long the run is.
        tests_rates: whether its run only tries rates and trains no model.
    """

    share: Formula
    multiplies: bool = False
    ends_with_run: bool = False
    tests_rates: bool = False

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ")


schedules: Registry[Schedule] = Registry("schedule", __name__)


def tests_rates(name: object) -> bool:
    """Return whether a run whose logged schedule has this name only tried rates.

    name: a run of an older version or of another program may have one that is not registered, or none.
    """
    return name in schedules and schedules.get(str(name)).tests_rates


def half_cosine(place: Any, xp: Any) -> Any:
    """Half a cosine: 1 at 0 and before, 0 at 1 and after."""
    return (1 + xp.cos(math.pi * xp.clip(place, 0, 1))) / 2
