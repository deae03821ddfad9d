"""How many images does each class have?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.style import PALETTE, finish, plain

COLOURS = {"train": PALETTE[0], "validation": PALETTE[1], "test": PALETTE[2]}


def draw(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> go.Figure:
    """Draw stacked bars, one per class, one colour per set. counts: images per class, by set."""
    figure = go.Figure()
    for subset, numbers in counts.items():
        if sum(numbers):
            figure.add_bar(
                x=[plain(name) for name in classes],
                y=list(numbers),
                name=subset,
                marker_color=COLOURS[subset],
            )
    finish(figure, "How many images has each class?", "class", "images")
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_xaxes(type="category")
    return figure
