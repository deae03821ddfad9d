"""What does accuracy cost? Parameters against multiply-accumulates, one point per model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from core.analysis.comparable import Comparison, Competitor
from core.analysis.experiments import DEFAULTS, OPTIONS, default_options, normal
from core.architectures.description import Description
from core.figures.style import GREY, PALETTE, finish, plain
from core.tracking.run import Run, runs_of

MODEL = "params.model.name"
KEYS = ("parameters", "macs", "test_accuracy")  # metrics that are read of runs, beside all parameters
# What makes two models differ in what they cost, beside their architecture and its options.
IN_EFFECT = ("model.head", "model.resize", "data.grey", "augmentation.random_crop")


@dataclass(frozen=True)
class Cost:
    """One point. macs: for one image.

    accuracy: mean accuracy on the test set of the experiment whose newest run is `run_id`; None without one.
    also: lines for the other models of exactly this cost, which would be drawn over this one.
    """

    name: str
    family: str
    parameters: float
    macs: float
    accuracy: float | None = None
    run_id: str | None = None
    also: tuple[str, ...] = ()


def collect(
    descriptions: Mapping[str, Description],
    families: Mapping[str, str],
    runs: pd.DataFrame,
    competitors: Sequence[Competitor] = (),
) -> list[Cost]:
    """Collect the points: trained models first, then described ones that no run trained.

    descriptions: by name. runs: `core.tracking.frames.runs`. competitors: experiments that may be compared
    with each other; of those with the same model the one with the best validation accuracy counts.
    """
    trained = _trained(runs, families, competitors)
    models = set(runs.loc[runs["run_id"].isin([cost.run_id for cost in trained]), MODEL]) if trained else ()
    described = [
        Cost(name, families[name], description.total_parameters, description.macs)
        for name, description in descriptions.items()
        if name not in models
    ]
    return _apart(trained) + _apart(described)


def comparable_on(comparison: Comparison, dataset: str, fingerprint: str = "") -> list[Competitor]:
    """Return the competitors on a dataset that may be compared with each other, the best first.

    Of several versions and splits: the version `fingerprint` where there is one, then the one with the most
    experiments, then the newest.
    """
    rankings = [those for basis, those in comparison.rankings().items() if basis.dataset == dataset]
    return max(
        rankings, key=lambda those: (those[0].basis.fingerprint == fingerprint, len(those)), default=[]
    )


def draw(costs: Sequence[Cost], where: str) -> go.Figure:
    """Draw parameters over multiply-accumulates, coloured by test accuracy, or by family before a training.

    where: of which input the counts are. No point gives empty axes.
    """
    figure = go.Figure()
    trained = [cost for cost in costs if cost.accuracy is not None]
    rest = [cost for cost in costs if cost.accuracy is None]
    for place, family in enumerate(sorted({cost.family for cost in rest})):
        points = [cost for cost in rest if cost.family == family]
        look: dict[str, Any] = {"size": 10, "color": PALETTE[place % len(PALETTE)]}
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
        f"What does a model cost? {plain(where)}",
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
        customdata=[[plain(cost.family), _also(cost)] for cost in costs],
        mode=mode,
        marker=look,
        hovertemplate="<b>%{text}</b>, %{customdata[0]}<br>%{y:,.0f} parameters<br>"
        f"%{{x:,.0f}} multiply-accumulates{extra}%{{customdata[1]}}<extra></extra>",
        **more,
    )


def _also(cost: Cost) -> str:
    """The other models of this cost, as lines of the hover text."""
    return "".join(f"<br>same cost: {plain(line)}" for line in cost.also)


def _trained(
    runs: pd.DataFrame, families: Mapping[str, str], competitors: Sequence[Competitor]
) -> list[Cost]:
    """One point for each variant of a model: its best experiment by validation accuracy."""
    by_id = _runs_of(runs, competitors)
    best: dict[tuple[Any, ...], tuple[Competitor, Run]] = {}
    for one in sorted(competitors, key=lambda one: one.validation, reverse=True):
        run = _run_with_cost(by_id, one)
        if run is not None and not math.isnan(one.test):
            best.setdefault(variant(run), (one, run))
    models = Counter(key[0] for key in best)
    return [
        Cost(
            name=key[0] if models[key[0]] == 1 else f"{key[0]} {_own_options(key, best)}".strip(),
            family=families.get(key[0], "unknown"),
            parameters=run.metrics["parameters"],
            macs=run.metrics["macs"],
            accuracy=one.test,
            run_id=one.run_ids[0],
        )
        for key, (one, run) in best.items()
    ]


def without_point(runs: pd.DataFrame, competitors: Sequence[Competitor]) -> list[Competitor]:
    """Return the experiments that the chart cannot show: they lack a test accuracy or logged costs."""
    by_id = _runs_of(runs, competitors)
    return [one for one in competitors if math.isnan(one.test) or _run_with_cost(by_id, one) is None]


def _runs_of(runs: pd.DataFrame, competitors: Sequence[Competitor]) -> dict[str, Run]:
    """The runs of some experiments, by id."""
    ids = [run_id for one in competitors for run_id in one.run_ids]
    return {run.run_id: run for run in runs_of(runs[runs["run_id"].isin(ids)])} if ids else {}


def _run_with_cost(runs: Mapping[str, Run], one: Competitor) -> Run | None:
    """The newest run of an experiment that logged what its model costs, which is the same for all of them."""
    for run in (runs[run_id] for run_id in one.run_ids):
        costs = (run.metrics.get("parameters", 0), run.metrics.get("macs", 0))
        if all(0 < cost < math.inf for cost in costs) and run.model is not None:
            return run
    return None


def variant(run: Run) -> tuple[Any, ...]:
    """Return what a run's model is in effect: its architecture, then pairs of settings, with defaults."""
    model = run.model or ""
    options = default_options(model)
    options |= {name: value for name, value in run.params.items() if name.startswith(OPTIONS)}
    options |= {name: run.params.get(name) or DEFAULTS[name] for name in IN_EFFECT}
    return (model, *((name, normal(value)) for name, value in sorted(options.items())))


def _own_options(key: tuple[Any, ...], among: Iterable[tuple[Any, ...]]) -> str:
    """The settings of a variant in which the variants of its architecture differ."""
    others = [dict(other[1:]) for other in among if other[0] == key[0]]
    differing = [
        (name, value) for name, value in key[1:] if any(other.get(name) != value for other in others)
    ]
    return ", ".join(f"{name.rpartition('.')[2]}={value[:20]}" for name, value in differing)


def _apart(costs: Sequence[Cost]) -> list[Cost]:
    """One point for each place; the first of several keeps the others as lines."""
    places: dict[tuple[float, float], list[Cost]] = {}
    for cost in costs:
        places.setdefault((cost.macs, cost.parameters), []).append(cost)
    return [
        replace(first, also=tuple(_line(one) for one in rest)) if rest else first
        for first, *rest in places.values()
    ]


def _line(cost: Cost) -> str:
    return cost.name if cost.accuracy is None else f"{cost.name}: {cost.accuracy:.2%}"
