"""How accurate for its cost? Test accuracy with its interval against one cost, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import plotly.graph_objects as go

from core.analysis.curves import half_width
from core.analysis.entries import Entry
from core.analysis.front import Choice, front
from core.analysis.intervals import wilson
from core.analysis.values import not_a_fraction
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
    """What the chart shows. missing: names of the entries without a test accuracy or without this cost."""

    choices: tuple[Choice, ...]
    missing: tuple[str, ...] = ()


def collect(runs: Mapping[str, Run], entries: Sequence[Entry], cost: str, images: int) -> Choices:
    """Collect accuracy and cost of entries that were tested on the same images.

    The accuracy and the cost of a group are means over its runs. Its interval covers other test images
    (Wilson) and other runs (Student's t of the mean), whichever reaches further.

    Args:
        runs: By id.
        images: Of the test set.
    """
    choices, missing = [], []
    for entry in entries:
        those = [runs[run_id] for run_id in entry.run_ids if run_id in runs]
        found = accuracy_of(those, images)
        prices = [one.metrics[cost] for one in those if 0 < one.metrics.get(cost, 0) < math.inf]
        if found is None or not prices:
            missing.append(entry.name)
        else:
            choices.append(Choice(entry.key, entry.name, fmean(prices), *found))
    return Choices(tuple(choices), tuple(missing))


def accuracy_of(runs: Sequence[Run], images: int) -> tuple[float, float, float] | None:
    """Return the mean test accuracy of runs and its 95% interval (see `collect`); None without any."""
    logged = [run.metrics.get("test_accuracy", math.inf) for run in runs]
    accuracies = [min(1.0, max(0.0, one)) for one in logged if not_a_fraction("", one) is None]
    if not accuracies:
        return None
    mean = fmean(accuracies)
    low, high = wilson(mean, images)
    if len(accuracies) > 1:
        half = half_width(len(accuracies)) * stdev(accuracies)
        low, high = max(0.0, min(low, mean - half)), min(1.0, max(high, mean + half))
    return mean, low, high


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
