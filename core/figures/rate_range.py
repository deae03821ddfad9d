"""At which learning rate does the loss fall fastest? The curve of a range test."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from core.analysis.rate_range import smoothed
from core.figures.style import finish


def draw(rates: np.ndarray, losses: np.ndarray, suggested: float | None) -> go.Figure:
    """Loss of each step (points) and its running mean (line) by rate; rates and losses `(n,)`."""
    figure = go.Figure()
    figure.add_scatter(
        x=rates, y=losses, mode="markers", name="loss of a step", marker={"size": 4, "opacity": 0.4}
    )
    figure.add_scatter(x=rates, y=smoothed(losses), mode="lines", name="running mean", line={"width": 2})
    finish(figure, "Loss by learning rate", "learning rate", "loss")
    figure.update_xaxes(type="log")
    if suggested:
        figure.add_vline(x=suggested, line={"dash": "dot"}, annotation_text=f"{suggested:.2g}")
    return figure
