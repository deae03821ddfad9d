"""Which values go well together? The mean score of each pair of values of two settings."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from core.analysis.settings_tried import Tried, steps
from core.figures.style import finish, plain


@dataclass(frozen=True)
class Heat:
    """A table of means. x, y: the values of the two settings. Cells without a run are None and 0."""

    x: tuple[str, ...]
    y: tuple[str, ...]
    means: tuple[tuple[float | None, ...], ...]
    runs: tuple[tuple[int, ...], ...]


def collect(tried: Tried, x: str, y: str) -> Heat:
    """Collect the mean score and the number of runs of every pair of values."""
    across, down = steps(tried.settings[x]), steps(tried.settings[y])
    groups = tried.score.groupby([down, across], observed=False)
    means = groups.mean().unstack()
    counts = groups.size().unstack()
    return Heat(
        tuple(map(str, means.columns)),
        tuple(map(str, means.index)),
        tuple(tuple(None if one != one else float(one) for one in row) for row in means.to_numpy()),
        tuple(tuple(int(one) for one in row) for row in counts.to_numpy()),
    )


def draw(heat: Heat, x: str, y: str) -> go.Figure:
    """Draw the table with the number of runs in each cell; no cell gives empty axes."""
    figure = go.Figure()
    figure.add_heatmap(
        x=[plain(one) for one in heat.x],
        y=[plain(one) for one in heat.y],
        z=heat.means,
        text=[
            ["" if mean is None else f"{mean:.1%}<br>n={count}" for mean, count in zip(*row, strict=True)]
            for row in zip(heat.means, heat.runs, strict=True)
        ],
        texttemplate="%{text}",
        colorscale="Viridis",
        colorbar={"tickformat": ".0%", "thickness": 12},
        hovertemplate="%{x}, %{y}: %{z:.2%}<extra></extra>",
        xgap=2,
        ygap=2,
        hoverongaps=False,
    )
    finish(
        figure, "Which values go well together?", plain(x), plain(y), height=140 + 48 * max(3, len(heat.y))
    )
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False)
    figure.update_layout(hovermode="closest")
    return figure
