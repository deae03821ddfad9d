"""A step schedule."""

from __future__ import annotations

from typing import Any

from core.components.schedules import EVERY_EPOCHS, FACTOR, Length, Schedule, schedules
from core.components.settings import Values


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    return values["factor"] ** xp.floor(step / (values["every_epochs"] * run.steps_per_epoch))


schedules.register(
    Schedule(
        name="step",
        summary="Multiplied by a factor at a fixed interval of epochs.",
        settings=(EVERY_EPOCHS, FACTOR),
        share=share,
        multiplies=True,
    )
)
