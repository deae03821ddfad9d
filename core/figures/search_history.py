"""How did a search go? The value of every trial in the order in which they began, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.figures.style import GREY, PALETTE, finish


@dataclass(frozen=True)
class History:
    """numbers, values: of the finished trials. best: the largest value up to each of them."""

    numbers: tuple[int, ...]
    values: tuple[float, ...]
    best: tuple[float, ...]


def collect(values: Sequence[tuple[int, float]]) -> History:
    """Collect the history of a search. values: number and validation accuracy of each finished trial."""
    ordered = sorted(values)
    best: list[float] = []
    for _, value in ordered:
        best.append(max(value, best[-1]) if best else value)
    return History(tuple(number for number, _ in ordered), tuple(value for _, value in ordered), tuple(best))


def draw(history: History) -> go.Figure:
    """Draw the trials as points and the best so far as a line; empty axes where none has finished."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(history.numbers), y=list(history.values), mode="markers", name="trial", marker_color=GREY
    )
    figure.add_scatter(
        x=list(history.numbers),
        y=list(history.best),
        mode="lines",
        line_shape="hv",
        name="best so far",
        line_color=PALETTE[0],
    )
    finish(figure, "How good are the trials?", "trial", "validation accuracy")
    figure.update_yaxes(tickformat=".0%")
    return figure
