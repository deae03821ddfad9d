"""Can a model's confidence be believed, and what is it worth?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from core.analysis.confidence import Coverage, Reliability
from core.analysis.intervals import wilson
from core.figures.style import GREY, PALETTE, LineStyle, finish, plain

POINTS = 300  # of a line; more cannot be seen
APART = 0.025  # of the axis of confidence: points that are closer lie on each other


def draw_reliability(found: Mapping[str, Reliability]) -> go.Figure:
    """Draw accuracy over confidence, a point for each bin with the 95 % interval of its accuracy.

    Bins that would lie on each other, as those near 100 % of a confident model, are one point.

    found: by the name of what was measured: the model as it is, or after temperature scaling.
    """
    figure, start = go.Figure(), _from(found)
    found = {name: apart(bins, (1.0 - start) * APART) for name, bins in found.items()}
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot", "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    for (name, bins), colour in zip(found.items(), (PALETTE[0], PALETTE[3]), strict=False):
        accuracy = bins.right / bins.images
        limits = [wilson(float(share), int(n)) for share, n in zip(accuracy, bins.images, strict=True)]
        figure.add_scatter(
            x=bins.confidence,
            y=accuracy,
            error_y={
                "array": [high - y for (_, high), y in zip(limits, accuracy, strict=True)],
                "arrayminus": [y - low for (low, _), y in zip(limits, accuracy, strict=True)],
                "thickness": 1,
            },
            customdata=bins.images,
            name=plain(name),
            mode="lines+markers",
            line={"color": colour, "width": 2},
            hovertemplate="confidence %{x:.1%}: %{y:.1%} right of %{customdata} images<extra></extra>",
        )
    finish(figure, "Is it right as often as it is confident?", "mean confidence of a bin", "accuracy")
    figure.update_xaxes(tickformat=".0%", range=[start, 1.0 + 0.01 * (1.0 - start)])
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_layout(hovermode="closest", showlegend=len(found) > 1)
    return figure


def apart(bins: Reliability, distance: float) -> Reliability:
    """Put neighbouring bins together until their mean confidences differ by a distance, from the top down."""
    kept: list[tuple[float, int, int]] = []  # sums of confidence, of right answers and of images
    for confidence, right, images in zip(
        bins.confidence[::-1].tolist(), bins.right[::-1].tolist(), bins.images[::-1].tolist(), strict=True
    ):
        one = (confidence * images, right, images)
        if kept and kept[-1][0] / kept[-1][2] - confidence < distance:
            last = kept.pop()
            one = (last[0] + one[0], last[1] + right, last[2] + images)
        kept.append(one)
    sums = np.array(kept[::-1]).reshape(-1, 3)
    return Reliability(
        sums[:, 0] / sums[:, 2], sums[:, 1].astype(bins.right.dtype), sums[:, 2].astype(bins.images.dtype)
    )


def draw_coverage(found: Coverage, style: LineStyle, wanted: float | None = None) -> go.Figure:
    """Draw accuracy over the share of images that are answered, the most confident first.

    wanted: an accuracy that is marked by a line.
    """
    places = np.unique(
        np.linspace(0, len(found.share) - 1, min(len(found.share), POINTS)).round().astype(int)
    )
    figure = go.Figure()
    figure.add_scatter(
        x=found.share[places],
        y=found.accuracy[places],
        customdata=found.confidence[places],
        mode="lines",
        line={"color": style.color, "width": 2},
        hovertemplate="%{x:.1%} answered, from confidence %{customdata:.1%}: %{y:.2%} right<extra></extra>",
        showlegend=False,
    )
    if wanted is not None:
        figure.add_hline(wanted, line={"color": GREY, "dash": "dot", "width": 1})
    title = "How accurate is it on the images it is most sure of?"
    finish(figure, title, "images answered, the most confident first", "accuracy on them")
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(tickformat=".1%")
    figure.update_layout(hovermode="closest")
    return figure


def draw_top_k(shares: np.ndarray, style: LineStyle) -> go.Figure:
    """Draw how often the class is among the k most probable. shares: for k = 1, 2, ..., float `(m,)`."""
    figure = go.Figure()
    figure.add_scatter(
        x=list(range(1, len(shares) + 1)),
        y=shares,
        mode="lines+markers",
        line={"color": style.color, "width": 2},
        hovertemplate="among the first %{x}: %{y:.2%}<extra></extra>",
        showlegend=False,
    )
    finish(figure, "How often is the right class among the first k?", "k", "top-k accuracy")
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(tickformat=".1%")
    figure.update_layout(hovermode="closest")
    return figure


def _from(found: Mapping[str, Reliability]) -> float:
    least = min((float(bins.confidence.min()) for bins in found.values() if len(bins.confidence)), default=0)
    return max(0.0, least - 0.05)
