"""Which settings do the best runs share? One line per run through all settings that differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from core.analysis.settings_tried import SCORE, Tried, is_logarithmic, numbers
from core.figures.style import finish, plain

MAX_AXES = 8  # beside the score: more cannot be told apart


@dataclass(frozen=True)
class Axis:
    """One setting. values: a number for each run. ticks: what some of the numbers stand for."""

    name: str
    values: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]


def collect(tried: Tried, settings: list[str]) -> list[Axis]:
    """Collect the axes of some settings, the score last; settings over many sizes are logarithms."""
    axes = []
    for name in settings[:MAX_AXES]:
        found = numbers(tried.settings[name])
        if found is None:
            order = sorted(tried.settings[name].unique())
            places = {value: float(place) for place, value in enumerate(order)}
            values, ticks = tried.settings[name].map(places), [(places[one], one) for one in order]
        else:
            values = np.log10(found) if is_logarithmic(found) else found
            shown = sorted(found.unique())
            if len(shown) > 6:
                shown = [shown[round(place * (len(shown) - 1) / 5)] for place in range(6)]
            as_drawn = np.log10 if is_logarithmic(found) else float
            ticks = [(float(as_drawn(one)), f"{one:.3g}") for one in shown]
        axes.append(Axis(name, tuple(map(float, values)), tuple(ticks)))
    return [*axes, Axis(SCORE, tuple(tried.score.tolist()), ())]


def _short(setting: str) -> str:
    """The last word of a setting; of `model.name` the first, which says more."""
    part, _, name = setting.rpartition(".")
    return (part if name == "name" and part else name).replace("_", " ")


def draw(axes: list[Axis]) -> go.Figure:
    """Draw the axes, coloured by the last one; none gives an empty figure."""
    figure = go.Figure()
    if axes:
        dimensions = []
        for axis in axes:
            one = {"label": plain(_short(axis.name)), "values": axis.values}
            if axis.ticks:
                one |= {
                    "tickvals": [at for at, _ in axis.ticks],
                    "ticktext": [plain(said) for _, said in axis.ticks],
                }
            else:
                one["tickformat"] = ".1~%"
            dimensions.append(one)
        figure.add_parcoords(
            dimensions=dimensions,
            line={"color": axes[-1].values, "colorscale": "Viridis"},
            labelangle=-25,
        )
    finish(figure, "Which settings do the best runs share?", "", "", height=420)
    figure.update_layout(margin={"l": 60, "r": 60, "t": 110, "b": 30})
    return figure
