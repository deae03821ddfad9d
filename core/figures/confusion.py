"""Which classes does a net mix up?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.style import PALETTE, finish, plain

MAX_NUMBERED = 20  # beyond this many classes the counts in the cells cannot be read


def draw(matrix: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """A confusion matrix: rows are true classes, columns predicted ones, colour is the share of the row.

    matrix: counts, int `(k, k)`. The number in a cell is the count; empty cells stay empty.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    names = [plain(name) for name in classes]
    shares = matrix / np.maximum(totals, 1)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            text=np.where(matrix > 0, matrix.astype(str), ""),
            texttemplate="%{text}" if len(classes) <= MAX_NUMBERED else None,
            customdata=matrix,
            colorscale=[[0, "rgba(0,114,178,0)"], [1, PALETTE[0]]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}<br>%{customdata} images, %{z:.1%} of it<extra></extra>",
        )
    )
    finish(figure, "Which classes are mixed up?", "predicted class", "true class", height=460)
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure
