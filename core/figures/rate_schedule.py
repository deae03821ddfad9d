"""How does the learning rate change over a run? Drawn before it is launched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from core import schedules
from core.config import ExperimentConfig
from core.figures.style import finish


@dataclass(frozen=True)
class RateCurve:
    """Places in a run, in epochs, and the rate there: both float64 `(n,)`. by_factors: it is multiplied."""

    epochs: np.ndarray
    rates: np.ndarray
    by_factors: bool = False


def collect(config: ExperimentConfig, images: int) -> RateCurve:
    """Compute the curve of a run that trains on `images` images per epoch."""
    run = schedules.length(config, images)
    steps, rates = schedules.curve(config, run)
    return RateCurve(steps / run.steps_per_epoch, rates, config.schedule.component.multiplies)


def draw(curve: RateCurve) -> go.Figure:
    """Draw the rate; one that changes by factors over two powers of ten on a logarithmic axis."""
    figure = go.Figure()
    figure.add_scatter(x=curve.epochs, y=curve.rates, mode="lines", line={"width": 2})
    finish(figure, "Learning rate by epoch", "epoch", "learning rate")
    lowest = curve.rates[curve.rates > 0].min(initial=np.inf)
    if curve.by_factors and curve.rates.max() >= 100 * lowest:
        figure.update_yaxes(type="log")
    figure.update_layout(showlegend=False, height=240)
    return figure
