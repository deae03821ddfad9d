"""How did training go? One metric over the epochs, one line per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from core.figures.style import LineStyle, finish, plain

LABELS = {
    "loss": "training loss",
    "accuracy": "training accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "learning_rate": "learning rate",
    "images_per_second": "images per second",
    "epoch_seconds": "seconds per epoch",
}


@dataclass(frozen=True)
class Curve:
    """One line: a run's name and the values of a metric at its epochs."""

    run_id: str
    name: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]


def collect(history: pd.DataFrame, names: Mapping[str, str], metric: str) -> list[Curve]:
    """Collect the curves of one metric, in the order of `names` (run id to name), of runs that logged it."""
    chosen = history[history["metric"] == metric]
    curves = []
    for run_id, name in names.items():
        points = chosen[chosen["run_id"] == run_id].sort_values("step")
        if len(points):
            curves.append(Curve(run_id, name, tuple(points["step"]), tuple(points["value"])))
    return curves


def draw(curves: Sequence[Curve], styles: Mapping[str, LineStyle], metric: str) -> go.Figure:
    """Draw curves of one metric; no curve gives empty axes."""
    figure = go.Figure()
    for curve in curves:
        style = styles[curve.run_id]
        figure.add_scatter(
            x=curve.epochs,
            y=curve.values,
            name=plain(curve.name),
            mode=_mode(len(curve.epochs)),
            line={"color": style.color, "dash": style.dash, "width": 2},
            marker={"size": 5},
        )
    label = LABELS.get(metric, metric)
    finish(figure, f"{label[0].upper()}{label[1:]} by epoch", "epoch", label)
    figure.update_xaxes(rangemode="tozero", dtick=1 if _longest(curves) <= 15 else None)
    figure.update_layout(showlegend=len(curves) > 1)
    return figure


def draw_run(history: pd.DataFrame, style: LineStyle, metric: str) -> go.Figure:
    """Draw training (dotted) and validation (solid) of one run. metric: `loss` or `accuracy`."""
    figure = go.Figure()
    for name, label, dash in ((metric, "training", "dot"), (f"val_{metric}", "validation", "solid")):
        points = history[history["metric"] == name].sort_values("step")
        if len(points):
            figure.add_scatter(
                x=points["step"],
                y=points["value"],
                name=label,
                mode=_mode(len(points)),
                line={"color": style.color, "dash": dash, "width": 2},
                marker={"size": 5},
            )
    finish(figure, f"{metric.capitalize()} by epoch", "epoch", metric, height=300)
    figure.update_xaxes(rangemode="tozero")
    return figure


def _mode(epochs: int) -> str:
    """Points on the line, while there is room between them."""
    return "lines+markers" if epochs <= 30 else "lines"


def _longest(curves: Sequence[Curve]) -> int:
    return max((curve.epochs[-1] for curve in curves), default=0)
