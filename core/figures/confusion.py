"""Which classes does a model confuse?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.style import PALETTE, finish, plain

MAX_NUMBERED = 20  # beyond this many classes the counts in the cells cannot be read
DARK_CELL = 0.85  # share of a row from which a cell is so blue that white is easier to read on it


def draw(matrix: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """Draw a confusion matrix: rows are true classes, columns predicted ones, colour is the share of the row.

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
            customdata=matrix,
            colorscale=[[0, "rgba(0,114,178,0)"], [1, PALETTE[0]]],
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}<br>%{customdata} images, %{z:.1%} of it<extra></extra>",
        )
    )
    if len(classes) <= MAX_NUMBERED:
        rows, columns = np.nonzero(matrix)
        dark = shares[rows, columns] >= DARK_CELL
        # Texts of their own: plotly takes a cell that is hardly coloured for white, which a dark page is not.
        figure.add_traces(
            [
                _counts(matrix, names, rows[~dark], columns[~dark], None),
                _counts(matrix, names, rows[dark], columns[dark], "white"),
            ]
        )
    finish(figure, "Which classes are mixed up?", "predicted class", "true class", height=460)
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure


def _counts(
    matrix: np.ndarray, names: Sequence[str], rows: np.ndarray, columns: np.ndarray, colour: str | None
) -> go.Scatter:
    """The counts of some cells. colour: None is that of the page's text."""
    return go.Scatter(
        x=[names[column] for column in columns],
        y=[names[row] for row in rows],
        text=[str(matrix[row, column]) for row, column in zip(rows, columns, strict=True)],
        mode="text",
        textfont={} if colour is None else {"color": colour},
        hoverinfo="skip",
        showlegend=False,
    )
