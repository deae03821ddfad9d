"""Which classes does a model predict for an image? The most probable ones."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.style import GREY, PALETTE, finish, plain


def draw(classes: Sequence[str], probabilities: Sequence[float]) -> go.Figure:
    """Draw horizontal bars, the most probable class on top and in colour."""
    colours = [PALETTE[0], *[GREY] * (len(classes) - 1)]
    figure = go.Figure(
        go.Bar(
            x=list(probabilities),
            y=[plain(name) for name in classes],
            orientation="h",
            marker_color=colours[: len(classes)],
            text=[f"{probability:.1%}" for probability in probabilities],
            textposition="auto",
            hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
    )
    finish(figure, "What does the model see?", "probability", "", height=110 + 38 * len(classes))
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(type="category", autorange="reversed")
    figure.update_layout(hovermode="closest")
    return figure
