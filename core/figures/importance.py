"""Which settings mattered? A bar per setting."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from core.figures.style import PALETTE, finish, plain

SHOWN = 12


def draw(shares: Mapping[str, float]) -> go.Figure:
    """Draw the shares of the most important settings, the largest on top; none gives empty axes."""
    shown = [*shares.items()][:SHOWN][::-1]
    figure = go.Figure()
    figure.add_bar(
        x=[share for _, share in shown],
        y=[plain(name) for name, _ in shown],
        orientation="h",
        marker_color=PALETTE[0],
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    finish(
        figure,
        "Which settings mattered?",
        "importance for validation accuracy",
        "",
        height=120 + 28 * max(3, len(shown)),
    )
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_layout(hovermode="closest", margin={"l": 20})
    return figure
