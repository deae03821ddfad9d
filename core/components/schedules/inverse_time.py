"""Inverse time decay."""

from __future__ import annotations

from typing import Any

from core.components.schedules import Length, Schedule, schedules
from core.components.settings import Setting, Values

DECAY = Setting("decay", 1e-6, "Decay", "Of each step.", gt=0, le=1)


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    return 1 / (1 + values["decay"] * step)


schedules.register(
    Schedule(name="inverse_time", summary="Rate / (1 + decay · step).", settings=(DECAY,), share=share)
)
