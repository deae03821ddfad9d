"""Colours, dashes and margins of every plot; one run has one colour on every page."""

from __future__ import annotations

import html
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

# After Okabe and Ito, whose colours people with any kind of colour vision can tell apart: without black and
# yellow, and with orange and sky blue darkened: each has a contrast of 3:1 on a light and on a dark page.
PALETTE = ("#0072B2", "#B87A00", "#009E73", "#D55E00", "#CC79A7", "#2E9BD6", "#8C6BB1", "#7F7F7F")
GREY = "#7D8894"  # of what is in the background: readable on both pages too
DASHES = ("solid", "dash", "dot", "dashdot")
FOREIGN_DASHES = ("longdash", "longdashdot")  # of runs that another program logged: none looks like ours
HEIGHT = 340


@dataclass(frozen=True)
class LineStyle:
    """How a run is drawn, wherever it is drawn."""

    color: str
    dash: str


def run_style(run_id: str, number: Any = None) -> LineStyle:
    """Return colour and dash of a run by its number in the store; by its id when it has none.

    The eight colours repeat with another dash, so 32 runs in a row differ.
    """
    try:
        return _style(int(number) - 1, DASHES)
    except (TypeError, ValueError, OverflowError):
        return foreign_style(zlib.crc32(run_id.encode()))


def foreign_style(place: int) -> LineStyle:
    """Return colour and dash of a run that another program logged, the `place`-th of these in the store."""
    return _style(place, FOREIGN_DASHES)


def group_style(key: str) -> LineStyle:
    """Return colour and dash of a group of runs, by its key: the same wherever the group is shown."""
    return _style(zlib.crc32(key.encode()), DASHES)


def _style(place: int, dashes: Sequence[str]) -> LineStyle:
    return LineStyle(PALETTE[place % len(PALETTE)], dashes[(place // len(PALETTE)) % len(dashes)])


def plain(text: str) -> str:
    """Escape text of users (a name of a run or a class), which Plotly would read as HTML."""
    return html.escape(str(text), quote=False)


def finish(figure: go.Figure, title: str, x: str, y: str, height: int = HEIGHT) -> go.Figure:
    """Set the title of a figure, the names of its axes and the margins that all figures share.

    Args:
        title: The question that the figure answers.
        height: Of the figure without its legend, in pixels; `core.ui.common.chart` adds the legend's.
    """
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        xaxis_title=x,
        yaxis_title=y,
        height=height,
        margin={"l": 60, "r": 20, "t": 48, "b": 48},
        hovermode="x unified",
        uirevision="keep",  # a zoom is kept when the figure is updated
    )
    return figure
