"""A learning-rate range test, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186."""

from __future__ import annotations

from typing import Any

from core.components.schedules import Length, Schedule, schedules
from core.components.settings import Values

START = 1e-6  # share of the rate at the first step


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    return START ** (1 - step / max(1, run.total - 1))


schedules.register(
    Schedule(
        name="range_test",
        summary="Rises from a millionth to the rate, to see where the loss falls fastest; trains no model.",
        share=share,
        multiplies=True,
        tests_rates=True,
    )
)
