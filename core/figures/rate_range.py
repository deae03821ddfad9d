"""At which learning rate does the loss fall fastest? The curve of a range test."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from core.analysis.rate_range import smoothed
from core.figures.style import finish


def draw(rates: np.ndarray, losses: np.ndarray, suggested: float | None) -> go.Figure:
    """Draw the loss of each step (points) and its running mean (line) by rate; rates and losses `(n,)`."""
    figure = go.Figure()
    figure.add_scatter(
        x=rates, y=losses, mode="markers", name="loss of a step", marker={"size": 4, "opacity": 0.4}
    )
    figure.add_scatter(x=rates, y=smoothed(losses), mode="lines", name="running mean", line={"width": 2})
    finish(figure, "Loss by learning rate", "learning rate", "loss")
    figure.update_xaxes(type="log")
    means = smoothed(losses)
    finite = means[np.isfinite(means)]
    if len(finite):  # the step that ran away would press all others flat
        figure.update_yaxes(range=[0, 1.2 * finite.max()])
    if suggested:
        figure.add_vline(x=suggested, line={"dash": "dot"})
        figure.add_annotation(  # Plotly places one on a logarithmic axis by its logarithm
            x=math.log10(suggested), y=1, yref="paper", text=f"{suggested:.2g}", showarrow=False, xshift=20
        )
    return figure
