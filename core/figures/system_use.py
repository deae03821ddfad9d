"""How busy was the machine while a run trained? CPU, memory and GPUs over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from core.figures.style import finish

GPUS = 8  # of a machine at most, that are drawn
LABELS = {
    "system/cpu_utilization_percentage": "CPU",
    "system/system_memory_usage_percentage": "memory",
    **{f"system/gpu_{number}_utilization_percentage": f"GPU {number}" for number in range(GPUS)},
    **{f"system/gpu_{number}_memory_usage_percentage": f"GPU {number} memory" for number in range(GPUS)},
}


@dataclass(frozen=True)
class Use:
    """One line: minutes since the first sample, and percent."""

    label: str
    minutes: tuple[float, ...]
    percent: tuple[float, ...]


def collect(history: pd.DataFrame) -> list[Use]:
    """Collect the lines. history: of one run and the metrics in `LABELS`, as `frames.histories` gives it."""
    found = []
    for name, label in LABELS.items():
        points = history[history["metric"] == name].sort_values("time")
        if len(points):
            minutes = (points["time"] - history["time"].min()).dt.total_seconds() / 60
            found.append(Use(label, tuple(minutes), tuple(points["value"])))
    return found


def draw(uses: Sequence[Use]) -> go.Figure:
    """Draw the lines on an axis from 0 to a little above 100 %."""
    figure = go.Figure()
    for use in uses:
        mode = "lines+markers" if len(use.minutes) < 30 else "lines"
        figure.add_scatter(x=use.minutes, y=use.percent, name=use.label, mode=mode, line={"width": 2})
    finish(figure, "Use of the machine", "minutes", "percent", height=300)
    figure.update_yaxes(range=[0, 105])  # a line at 100 % is seen whole, below the edge
    return figure
