"""What does accuracy cost? Parameters against multiply-accumulates, a point a net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.figures.style import GREY, PALETTE, finish, plain
from core.tracking import schema


@dataclass(frozen=True)
class Cost:
    """One point. macs: for one image. accuracy: on the test part, of the run named; None without one."""

    name: str
    family: str
    parameters: float
    macs: float
    accuracy: float | None = None
    run_id: str | None = None


def collect(
    descriptions: Mapping[str, Mapping[str, Any]],
    families: Mapping[str, str],
    runs: pd.DataFrame,
    dataset: str | None,
) -> list[Cost]:
    """Trained nets first, then described ones that no run trained.

    descriptions: by name. runs: `core.tracking.frames.runs`. Of the finished runs of a net with the same
    options on the dataset the one with the best validation accuracy counts: the test part chooses nothing.
    dataset: None leaves the runs out.
    """
    trained = _trained(runs, families, dataset) if dataset is not None else []
    known = {cost.name for cost in trained}
    return trained + [
        Cost(name, families[name], facts["total_parameters"], facts["macs"])
        for name, facts in descriptions.items()
        if name not in known
    ]


def draw(costs: Sequence[Cost], where: str) -> go.Figure:
    """Both axes logarithmic. Coloured by test accuracy where nets were trained, else by family.

    where: of which input the counts are. No point gives empty axes.
    """
    figure = go.Figure()
    trained = [cost for cost in costs if cost.accuracy is not None]
    rest = [cost for cost in costs if cost.accuracy is None]
    for number, family in enumerate(sorted({cost.family for cost in rest})):
        points = [cost for cost in rest if cost.family == family]
        look: dict[str, Any] = {"size": 10, "color": PALETTE[number % len(PALETTE)]}
        if trained:
            look = {"size": 9, "symbol": "circle-open", "color": GREY}
        _add(figure, points, look, "markers", "", name=plain(family), showlegend=not trained)
    if trained:
        look = {
            "size": 14,
            "color": [cost.accuracy for cost in trained],
            "colorscale": "Viridis",
            "colorbar": {"title": "test accuracy", "tickformat": ".1%", "nticks": 5, "thickness": 12},
            "line": {"width": 1, "color": "white"},
        }
        extra = "<br>test accuracy %{marker.color:.2%}"
        _add(figure, trained, look, "markers+text", extra, name="trained", showlegend=False)
    finish(
        figure,
        f"What does a net cost? {plain(where)}",
        "multiply-accumulates an image",
        "parameters",
        height=460,
    )
    figure.update_xaxes(type="log", showgrid=True, dtick=1, exponentformat="SI")
    figure.update_yaxes(type="log", dtick=1, exponentformat="SI")
    figure.update_layout(hovermode="closest")
    return figure


def _add(figure: go.Figure, costs: Sequence[Cost], look: dict, mode: str, extra: str, **more: Any) -> None:
    figure.add_scatter(
        x=[cost.macs for cost in costs],
        y=[cost.parameters for cost in costs],
        text=[plain(cost.name) for cost in costs],
        textposition="top center",
        customdata=[plain(cost.family) for cost in costs],
        mode=mode,
        marker=look,
        hovertemplate="<b>%{text}</b>, %{customdata}<br>%{y:,.0f} parameters<br>"
        f"%{{x:,.0f}} multiply-accumulates{extra}<extra></extra>",
        **more,
    )


def _trained(runs: pd.DataFrame, families: Mapping[str, str], dataset: str) -> list[Cost]:
    wanted = {
        "net": "params.model.name",
        "data": "params.data.name",
        "parameters": "metrics.parameters",
        "macs": "metrics.macs",
        "accuracy": "metrics.test_accuracy",
        "validation": "metrics.best_val_accuracy",
    }
    if not set(wanted.values()) <= set(runs.columns):
        return []
    options = sorted(column for column in runs.columns if column.startswith("params.model.options."))
    finished = runs[(runs["status"] == schema.FINISHED) & (runs[wanted["data"]] == dataset)]
    finished = finished.dropna(
        subset=[wanted["net"], wanted["parameters"], wanted["macs"], wanted["accuracy"]]
    )
    best = finished.sort_values(wanted["validation"], ascending=False).drop_duplicates(
        [wanted["net"], *options]
    )
    return [
        Cost(
            name=run[wanted["net"]],
            family=families.get(run[wanted["net"]], "unknown"),
            parameters=run[wanted["parameters"]],
            macs=run[wanted["macs"]],
            accuracy=run[wanted["accuracy"]],
            run_id=run["run_id"],
        )
        for _, run in best.iterrows()
    ]
