"""Cosine annealing with warm restarts, "SGDR", arXiv:1608.03983."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from core.components.schedules import Length, Schedule, half_cosine, schedules
from core.components.settings import Setting, Values

MAX_GROWTH = 100_000_000  # as many steps as a run may have

FINAL = Setting("final", 0.0, "Final share", "The share of the rate at the end of each cycle.", ge=0, lt=1)
RESTARTS = Setting("restarts", 0, "Restarts", "How often the cosine begins again.", ge=0, le=100)
GROWTH = Setting(
    "restart_growth", 1.0, "Growth of cycles", "Length of each cycle as a multiple of the one before.",
    ge=1, le=10,
)  # fmt: skip


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    """From 1 to `final` in every cycle: equation 5."""
    total, step = run.total - warmup, step - warmup
    relative = [values["restart_growth"] ** position for position in range(values["restarts"] + 1)]
    lengths = [total * one / sum(relative) for one in relative]
    begun = [0.0, *accumulate(lengths)]
    place = step / lengths[0]
    for start, duration in list(zip(begun, lengths, strict=False))[1:]:
        place = xp.where(step >= start, (step - start) / duration, place)
    return values["final"] + (1 - values["final"]) * half_cosine(place, xp)


def check(values: Values) -> None:
    growth, restarts = values["restart_growth"], values["restarts"]
    if growth**restarts > MAX_GROWTH:
        raise ValueError(
            "schedule.restart_growth to the power of schedule.restarts must be at most "
            f"{MAX_GROWTH:,}: the first cycle would be shorter than a step. "
            f"Received: {growth:g} and {restarts}."
        )


schedules.register(
    Schedule(
        name="cosine",
        summary="Falls along half a cosine until the end of the run, in one or several cycles.",
        settings=(FINAL, RESTARTS, GROWTH),
        check=check,
        share=share,
        ends_with_run=True,
    )
)
