"""A piecewise constant schedule."""

from __future__ import annotations

import math
from typing import Any

from core.components.schedules import FACTOR, Length, Schedule, schedules
from core.components.settings import Setting, Values, numbers

MAX_BOUNDARY = 100_000_000  # as many steps as a run may have


def check_numbers(setting: str, text: str) -> list[float]:
    """Return the numbers of a setting's text. Raises ValueError for other text."""
    try:
        found = numbers(text)
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"schedule.{setting} must be numbers with commas between. Received: {text!r}.")
    return found


def check_boundaries(text: str) -> None:
    found = check_numbers("boundaries", text)
    if text and not found:
        raise ValueError(f"schedule.boundaries must name at least one place. Received: {text!r}.")
    if found != sorted(set(found)) or any(place <= 0 for place in found):
        raise ValueError(f"schedule.boundaries must be above 0 and ascend. Received: {text!r}.")
    if found and found[-1] > MAX_BOUNDARY:
        raise ValueError(f"schedule.boundaries must be at most {MAX_BOUNDARY:,}. Received: {text!r}.")


def check_factors(text: str) -> None:
    if any(not 0 < one <= 1000 for one in check_numbers("factors", text)):
        raise ValueError(f"schedule.factors must be above 0 and at most 1000. Received: {text!r}.")


def check(values: Values) -> None:
    boundaries, factors = numbers(values["boundaries"]), numbers(values["factors"])
    if factors and len(factors) != len(boundaries):
        raise ValueError(
            f"schedule.factors must be as many as schedule.boundaries, {len(boundaries)}. "
            f"Received: {len(factors)}."
        )


BOUNDARIES = Setting(
    "boundaries", "", "Boundaries", "Where the rate changes, with commas: 80, 120, 160.",
    is_list=True, check=check_boundaries,
)  # fmt: skip
UNIT = Setting("boundaries_in", "epochs", "Unit of the boundaries", choices=("epochs", "steps"))
FACTORS = Setting(
    "factors", "", "Factors",
    "Multipliers of the first rate, one for each boundary. Empty: the factor, once more at each.",
    is_list=True, check=check_factors,
)  # fmt: skip


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    """Constant between boundaries; the step whose number is a boundary has the new rate."""
    unit = run.steps_per_epoch if values["boundaries_in"] == "epochs" else 1
    boundaries = numbers(values["boundaries"])
    powers = [values["factor"] ** position for position in range(1, len(boundaries) + 1)]
    found = step * 0 + 1.0
    for boundary, factor in zip(boundaries, numbers(values["factors"]) or powers, strict=True):
        found = xp.where(step >= round(boundary * unit), factor, found)
    return found


schedules.register(
    Schedule(
        name="piecewise",
        summary="Multiplied at boundaries, which are epochs or steps.",
        settings=(BOUNDARIES, UNIT, FACTORS, FACTOR),
        required=("boundaries",),
        check=check,
        share=share,
        multiplies=True,
    )
)
