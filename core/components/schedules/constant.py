"""A constant rate."""

from __future__ import annotations

from typing import Any

from core.components.schedules import Length, Schedule, schedules
from core.components.settings import Values


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    return step * 0 + 1.0


schedules.register(Schedule(name="constant", summary="The same rate throughout.", share=share))
