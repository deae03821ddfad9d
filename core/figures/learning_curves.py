"""How did training go? One metric over epochs, steps, time or images; one line per run or group of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.analysis.curves import Axis, Curve
from core.figures.curve_lines import Line, Lines, Look
from core.figures.style import GREY, LineStyle, finish, plain

LABELS = {
    "loss": "training loss",
    "accuracy": "training accuracy",
    "accuracy_gap": "training minus validation accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "loss_gap": "validation minus training loss",
    "learning_rate": "learning rate",
    "images_per_second": "images per second",
    "epoch_seconds": "seconds per epoch",
}
QUESTIONS = {
    "loss": "How low is the loss on training images?",
    "accuracy": "How accurate on training images?",
    "accuracy_gap": "How much better on training images?",
    "val_loss": "How low is the loss on validation images?",
    "val_accuracy": "How accurate on validation images?",
    "loss_gap": "How much lower is the loss on training images?",
    "learning_rate": "How large was the learning rate?",
    "images_per_second": "How fast did training go?",
    "epoch_seconds": "How long did an epoch take?",
}
IN_PERCENT = ("accuracy", "val_accuracy", "accuracy_gap")
_AXES: Mapping[Axis, str] = {
    "epoch": "epoch",
    "step": "optimizer steps",
    "time": "training time",
    "images": "training images seen",
}


def draw(lines: Lines, styles: Mapping[str, LineStyle], metric: str, look: Look | None = None) -> go.Figure:
    """Draw curves of one metric; no curve gives empty axes. styles: by the keys of the entries."""
    look = look or Look()
    figure = go.Figure()
    unit, unit_name = _time_unit(lines) if look.axis == "time" else (1.0, "")
    if lines.rest is not None:
        _add_band(figure, lines.rest, GREY, unit, "rest", f"{lines.rest_of} more, lowest to highest")
    for line in lines.lines:
        style, curve = styles[line.key], line.curve
        if curve.low:
            _add_band(figure, curve, style.color, unit, line.key)
    for line in lines.lines:
        style, curve = styles[line.key], line.curve
        if curve.raw:
            figure.add_scatter(
                x=_scaled(curve.x, unit),
                y=curve.raw,
                mode="lines",
                opacity=0.3,
                line={"color": style.color, "width": 1},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=line.key,
            )
        if line.training is not None:
            _add_line(figure, line.training, style, unit, line.key, metric, f"{line.name}, training", "dot")
        name = _named(line)
        _add_line(figure, curve, style, unit, line.key, metric, name)
    label = LABELS.get(metric, metric)
    title = QUESTIONS.get(metric, f"How did {label} develop?")
    finish(figure, title, f"{_AXES[look.axis]}{unit_name}", label)
    _axes(figure, lines, metric, look)
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
    if metric in IN_PERCENT:
        figure.update_yaxes(tickformat=".2~%", hoverformat=".2%")
    return figure


def outliers_cut(lines: Lines, metric: str) -> float | None:
    """Return the value above which a chart with a linear axis shows nothing; None where it shows all.

    One run that diverged would press all others to the bottom of the chart.
    """
    values = sorted(value for line in lines.lines for value in line.curve.y if math.isfinite(value))
    if len(values) < 4 or metric in IN_PERCENT:
        return None
    usual = 20 * abs(values[len(values) // 2])
    below = [value for value in values if value <= usual]
    return None if not usual or not below or len(below) == len(values) else 1.05 * below[-1]


def _add_line(
    figure: go.Figure,
    curve: Curve,
    style: LineStyle,
    unit: float,
    key: str,
    metric: str,
    name: str,
    dash: str | None = None,
) -> None:
    form = ".2%" if metric in IN_PERCENT else ".4~g"
    band = "<br>%{customdata[0]:FORM} to %{customdata[1]:FORM}, %{customdata[2]} runs" if curve.low else ""
    figure.add_scatter(
        x=_scaled(curve.x, unit),
        y=curve.y,
        name=plain(name),
        mode="lines" if dash else _mode(len(curve.x)),
        line={
            "color": style.color,
            "dash": dash or style.dash,
            "width": 1.25 if dash else 3 if curve.runs else 2,
        },
        marker={"size": 5},
        legendgroup=key,
        showlegend=dash is None,
        customdata=list(zip(curve.low, curve.high, curve.runs, strict=True)) if curve.low else None,
        hovertemplate=f"%{{y:FORM}}{band}<extra>{plain(name)}</extra>".replace("FORM", form),
    )


def _add_band(
    figure: go.Figure, curve: Curve, color: str, unit: float, key: str, name: str | None = None
) -> None:
    """Add the area between two bounds as one shape, which the legend hides together with its line."""
    x = _scaled(curve.x, unit)
    known = [
        place
        for place in range(len(x))
        if math.isfinite(curve.low[place]) and math.isfinite(curve.high[place])
    ]
    if not known:
        return
    bounds = [(x[place], curve.low[place], curve.high[place]) for place in known]
    figure.add_scatter(
        x=[at for at, _, _ in bounds] + [at for at, _, _ in reversed(bounds)],
        y=[high for _, _, high in bounds] + [low for _, low, _ in reversed(bounds)],
        fill="toself",
        fillcolor=_transparent(color),
        mode="lines",
        line={"width": 0, "color": color},
        hoverinfo="skip",
        legendgroup=key,
        name=name,
        showlegend=name is not None,
    )


def _named(line: Line) -> str:
    """The name of a line; of a group with how many runs its mean is of, where the name does not say it."""
    runs = max(line.curve.runs, default=0)
    if not runs:
        return line.name
    return f"{line.name}, mean" if f"{runs} runs" in line.name else f"{line.name} (mean of {runs})"


def _axes(figure: go.Figure, lines: Lines, metric: str, look: Look) -> None:
    if look.axis == "epoch":
        last = max((line.curve.x[-1] for line in lines.lines), default=0)
        figure.update_xaxes(dtick=1 if last <= 15 and not look.log_x else None)
    if look.axis == "images":
        figure.update_xaxes(exponentformat="SI")
    figure.update_xaxes(
        type="log" if look.log_x else "linear", rangemode="normal" if look.log_x else "tozero"
    )
    figure.update_yaxes(type="log" if look.log_y else "linear")
    if metric in IN_PERCENT:
        figure.update_yaxes(tickformat=".2~%")
        if metric != "accuracy_gap" and not look.log_y:
            figure.update_yaxes(range=_accuracy_range(lines))
    if not look.log_y and (cut := outliers_cut(lines, metric)) is not None:
        low = min(value for line in lines.lines for value in line.curve.y if math.isfinite(value))
        figure.update_yaxes(range=[min(0.0, low), cut])
    shown = len(lines.lines) + (lines.rest is not None)
    figure.update_layout(showlegend=shown > 1, legend={"tracegroupgap": 0})


def _accuracy_range(lines: Lines) -> list[float] | None:
    """From below the lowest value to above the highest; bands may leave it, as an interval may pass 100 %."""
    drawn = [line.curve for line in lines.lines] + [line.training for line in lines.lines if line.training]
    values = [value for curve in drawn for value in (*curve.y, *curve.raw) if 0 <= value <= 1]
    if not values:
        return None
    margin = max(0.05 * (max(values) - min(values)), 0.002)
    return [min(values) - margin, max(values) + margin]


def _time_unit(lines: Lines) -> tuple[float, str]:
    """By what seconds are divided, and how the axis names it."""
    longest = max((line.curve.x[-1] for line in lines.lines), default=0.0)
    if longest >= 3 * 3600:
        return 3600.0, " (hours)"
    return (60.0, " (minutes)") if longest >= 180 else (1.0, " (seconds)")


def _scaled(values: Sequence[float], unit: float) -> list[Any]:
    return list(values) if unit == 1 else [value / unit for value in values]


def _transparent(color: str) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.2)"


def _mode(points: int) -> str:
    """Points on the line, while there is room between them."""
    return "lines+markers" if points <= 30 else "lines"
