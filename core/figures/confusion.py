"""Which classes does a model confuse? And which does another confuse less?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.style import PALETTE, finish, plain

MAX_NUMBERED = 20  # beyond this many classes the counts in the cells cannot be read
DARK_CELL = 0.85  # share of a row from which a cell is so blue that white is easier to read on it
HEIGHT, TALL = 460, 640  # px; many classes need the taller one
Cell = tuple[int, int]  # true class, predicted class


def draw(
    matrix: np.ndarray,
    classes: Sequence[str],
    order: np.ndarray | None = None,
    *,
    shares: bool = False,
    marked: Cell | None = None,
    title: str = "Which classes are mixed up?",
) -> go.Figure:
    """Draw a confusion matrix: rows are true classes, columns predicted ones, colour is the share of the row.

    The number in a cell is the count, or the share; empty cells stay empty. The place of a clicked cell is
    `[row, column]` in this order.

    Args:
        matrix: Counts, int `(k, k)`.
        order: The classes from top to bottom and from left to right; as they are by default.
        marked: A cell that is outlined.
    """
    order = np.arange(len(classes)) if order is None else order
    matrix = matrix[np.ix_(order, order)]
    names = [plain(classes[place]) for place in order.tolist()]
    totals = matrix.sum(axis=1, keepdims=True)
    rates = matrix / np.maximum(totals, 1)
    figure = go.Figure(
        go.Heatmap(
            z=rates,
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
        dark = rates[rows, columns] >= DARK_CELL
        texts = np.array(
            [
                f"{rates[cell]:.0%}" if shares else str(matrix[cell])
                for cell in zip(rows, columns, strict=True)
            ]
        )
        # Texts of their own: plotly takes a cell that is hardly coloured for white, which a dark page is not.
        figure.add_traces(
            [
                _texts(texts[~dark], names, rows[~dark], columns[~dark], None),
                _texts(texts[dark], names, rows[dark], columns[dark], "white"),
            ]
        )
    return _finished(figure, title, order, marked)


def draw_difference(
    first: np.ndarray,
    second: np.ndarray,
    classes: Sequence[str],
    order: np.ndarray | None = None,
    *,
    names: tuple[str, str] = ("A", "B"),
    marked: Cell | None = None,
) -> go.Figure:
    """Draw by how many images the cells of two confusion matrices differ.

    Orange cells have more images of the second model, blue ones of the first.

    Args:
        first: Counts of the first model, int `(k, k)`.
        second: Of the second model, for the same images.
        names: Of the models.
    """
    order = np.arange(len(classes)) if order is None else order
    first, second = (matrix[np.ix_(order, order)] for matrix in (first, second))
    labels, (one, other) = [plain(classes[place]) for place in order.tolist()], map(plain, names)
    more = second - first
    most = max(1, int(np.abs(more).max(initial=0)))
    figure = go.Figure(
        go.Heatmap(
            z=more,
            x=labels,
            y=labels,
            customdata=np.dstack([first, second]),
            colorscale=[[0, PALETTE[0]], [0.5, "rgba(127,127,127,0)"], [1, PALETTE[3]]],
            zmin=-most,
            zmax=most,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}<br>%{customdata[0]} images of "
            f"{one}, %{{customdata[1]}} of {other}<extra></extra>",
        )
    )
    if len(classes) <= MAX_NUMBERED:
        rows, columns = np.nonzero(more)
        dark = np.abs(more[rows, columns]) >= DARK_CELL * most
        texts = np.array([f"{more[cell]:+d}" for cell in zip(rows, columns, strict=True)])
        figure.add_traces(
            [
                _texts(texts[~dark], labels, rows[~dark], columns[~dark], None),
                _texts(texts[dark], labels, rows[dark], columns[dark], "white"),
            ]
        )
    return _finished(figure, "Where do the two models differ?", order, marked)


def cell_at(at: Sequence[int], order: np.ndarray) -> Cell:
    """Return the true and the predicted class of a clicked cell. at: row and column of the drawn matrix."""
    row, column = at
    return int(order[row]), int(order[column])


def _finished(figure: go.Figure, title: str, order: np.ndarray, marked: Cell | None) -> go.Figure:
    height = HEIGHT if len(order) <= MAX_NUMBERED else TALL
    finish(figure, title, "predicted class", "true class", height=height)
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    figure.update_layout(hovermode="closest")
    if marked is not None:
        place = {int(one): number for number, one in enumerate(order)}
        row, column = place[marked[0]], place[marked[1]]
        figure.add_shape(
            x0=column - 0.5, x1=column + 0.5, y0=row - 0.5, y1=row + 0.5,
            line={"color": PALETTE[1], "width": 3},
        )  # fmt: skip
    return figure


def _texts(
    texts: np.ndarray, names: Sequence[str], rows: np.ndarray, columns: np.ndarray, colour: str | None
) -> go.Scatter:
    """The numbers of some cells. colour: None is that of the page's text."""
    return go.Scatter(
        x=[names[column] for column in columns],
        y=[names[row] for row in rows],
        text=texts.tolist(),
        mode="text",
        textfont={} if colour is None else {"color": colour},
        hoverinfo="skip",
        showlegend=False,
    )
