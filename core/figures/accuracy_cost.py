"""How accurate for its cost? Test accuracy with its interval against one cost, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import plotly.graph_objects as go

from core.analysis.evidence import Measured
from core.analysis.front import Choice, front
from core.analysis.intervals import wilson
from core.analysis.over_repeats import mean
from core.figures.style import GREY, LineStyle, finish, plain
from core.tracking.run import Run

COSTS = {
    "parameters": "parameters",
    "macs": "multiply-accumulates per image",
    "train_seconds": "training time (seconds)",
    "latency_ms": "latency of one image (ms)",
    "model_bytes": "model size (bytes)",
}
MORE = {  # what the dearer of two models has more of
    "parameters": "parameters",
    "macs": "computation",
    "train_seconds": "training time",
    "latency_ms": "latency",
    "model_bytes": "size",
}
QUESTIONS = {
    "parameters": "How accurate for its number of parameters?",
    "macs": "How accurate for its computation?",
    "train_seconds": "How accurate for its training time?",
    "latency_ms": "How accurate for its latency?",
    "model_bytes": "How accurate for its size?",
}


@dataclass(frozen=True)
class Choices:
    """What the chart shows. missing: names of the entries whose runs did not log this cost."""

    choices: tuple[Choice, ...]
    missing: tuple[str, ...] = ()


def collect(tested: Sequence[Measured], runs: Mapping[str, Run], cost: str) -> Choices:
    """Collect accuracy and cost of entries that were tested on the same images; a group's are means.

    Args:
        tested: As `core.analysis.evidence` gathers them.
        runs: By id.
    """
    choices, missing = [], []
    for one in tested:
        logged = [runs[run_id].metrics.get(cost, math.nan) for run_id in one.run_ids]
        prices = [price for price in logged if 0 < price < math.inf]
        if prices:
            choices.append(Choice(one.key, one.name, fmean(prices), one.accuracy, *interval_of(one)))
        else:
            missing.append(one.name)
    return Choices(tuple(choices), tuple(missing))


def interval_of(one: Measured) -> tuple[float, float]:
    """Return the 95% interval of an accuracy: Wilson's for one run, over images and seeds for several."""
    images, runs = one.right.shape
    low, high = wilson(one.accuracy, images) if runs == 1 else mean(one.right).interval()
    return max(0.0, low), min(1.0, high)


def draw(found: Choices, styles: Mapping[str, LineStyle], cost: str) -> go.Figure:
    """Draw accuracy over cost with intervals, and the front as steps; no choice gives empty axes."""
    figure = go.Figure()
    members = front(found.choices)
    if len(members) > 1:
        figure.add_scatter(
            x=[one.cost for one in members],
            y=[one.accuracy for one in members],
            mode="lines",
            line={"color": GREY, "width": 1.5, "dash": "dot", "shape": "hv"},
            name="best at its price",
            hoverinfo="skip",
        )
    for one in found.choices:
        figure.add_scatter(
            x=[one.cost],
            y=[one.accuracy],
            error_y={
                "type": "data",
                "array": [one.high - one.accuracy],
                "arrayminus": [one.accuracy - one.low],
                "thickness": 1.5,
                "width": 5,
            },
            mode="markers",
            marker={
                "size": 12,
                "color": styles[one.key].color,
                "symbol": "circle" if one in members else "circle-open",
                "line": {"width": 2, "color": styles[one.key].color},
            },
            name=plain(one.name),
            customdata=[[one.low, one.high]],
            hovertemplate="%{y:.2%} (%{customdata[0]:.2%} to %{customdata[1]:.2%})<br>%{x:,.5~g} "
            f"{COSTS[cost].partition(' (')[0]}<extra>{plain(one.name)}</extra>",
        )
    finish(figure, QUESTIONS[cost], COSTS[cost], "test accuracy", height=400)
    figure.update_xaxes(type="log", exponentformat="SI", showgrid=True, dtick="D2")
    figure.update_yaxes(tickformat=".2~%")
    figure.update_layout(hovermode="closest", showlegend=True)
    return figure
