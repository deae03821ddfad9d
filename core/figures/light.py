"""How bright are the images, and how much contrast do they have?"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from core.figures.style import PALETTE, finish

BINS = 64


def draw(brightness: np.ndarray, contrast: np.ndarray) -> go.Figure:
    """Draw histograms over 0-255. brightness, contrast: mean and deviation of the grey values per image."""
    figure = go.Figure()
    for name, values, colour in (
        ("brightness (mean)", brightness, PALETTE[1]),
        ("contrast (deviation)", contrast, PALETTE[0]),
    ):
        counts, edges = np.histogram(values, BINS, (0, 255))
        figure.add_bar(
            x=((edges[:-1] + edges[1:]) / 2).tolist(), y=counts.tolist(), name=name, marker_color=colour
        )
    finish(figure, "How bright are the images, and how much contrast have they?", "grey value", "images")
    figure.update_layout(barmode="overlay", bargap=0)
    figure.update_traces(opacity=0.65)
    return figure
