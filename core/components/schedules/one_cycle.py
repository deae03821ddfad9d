"""One cycle, "Super-Convergence", arXiv:1708.07120, with cosines in place of straight lines."""

from __future__ import annotations

from typing import Any

from core.components.schedules import Length, Schedule, half_cosine, schedules
from core.components.settings import Setting, Values

START = 1 / 25  # share of the highest rate; the paper leaves it open
END = START / 10_000
RISE = Setting("rise", 0.3, "Rise", "The share of the run in which the rate rises.", gt=0, lt=1)


def share(values: Values, run: Length, warmup: int, step: Any, xp: Any) -> Any:
    total, step = run.total - warmup, step - warmup
    peak = max(1.0, values["rise"] * total)
    up = START + (1 - START) * (1 - half_cosine(step / peak, xp))
    down = END + (1 - END) * half_cosine((step - peak) / max(1.0, total - peak), xp)
    return xp.where(step < peak, up, down)


schedules.register(
    Schedule(
        name="one_cycle",
        summary="Rises to the rate, then falls to almost nothing at the end of the run.",
        settings=(RISE,),
        share=share,
        ends_with_run=True,
    )
)
