"""How large were the images before they were resized?"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from core.figures.style import PALETTE, finish


def draw(sizes: Sequence[tuple[int, int, int]]) -> go.Figure:
    """Draw a dot per size, its area the number of images. sizes: height, width and number of images each."""
    most = max((count for _, _, count in sizes), default=1)
    figure = go.Figure(
        go.Scatter(
            x=[width for _, width, _ in sizes],
            y=[height for height, _, _ in sizes],
            customdata=[[count, round(width / height, 2)] for height, width, count in sizes],
            mode="markers",
            marker={
                "size": [max(6, 36 * (count / most) ** 0.5) for _, _, count in sizes],
                "color": PALETTE[0],
                "opacity": 0.6,
            },
            hovertemplate="%{y}×%{x}, aspect ratio %{customdata[1]}: %{customdata[0]} images<extra></extra>",
        )
    )
    finish(figure, "How large were the images before the import?", "width in pixels", "height in pixels")
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    return figure
