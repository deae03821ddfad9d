"""Is each class told from the rest? ROC and precision-recall curves of one class against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from core.figures.style import DASHES, GREY, PALETTE, finish, plain
from core.lazy import LazyModule

if TYPE_CHECKING:
    from sklearn import metrics
else:
    metrics = LazyModule("sklearn.metrics")  # a second of import

SHOWN = len(PALETTE)  # classes; more lines cannot be told apart
POINTS = 300  # of a curve; more cannot be seen
Line = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class ClassCurves:
    """One class against the rest.

    Attributes:
        roc: False positive rates, and true positive rates.
        area: Under the ROC curve.
        precision: Recalls, and precisions.
        average_precision: The area under the precision-recall curve.
    """

    name: str
    roc: Line
    area: float
    precision: Line
    average_precision: float


def collect(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> list[ClassCurves]:
    """Collect the curves of the classes with images, the smallest average precision first.

    probabilities: float `(n, k)`; labels: int `(n,)`. None where one class has all images.
    """
    present = np.unique(labels).tolist()
    found = []
    for one in present if len(present) > 1 else []:
        truth, given = labels == one, probabilities[:, one]
        false, true, _ = metrics.roc_curve(truth, given)
        precision, recall, _ = metrics.precision_recall_curve(truth, given, drop_intermediate=True)
        found.append(
            ClassCurves(
                classes[one],
                _thinned(false, true),
                float(metrics.auc(false, true)),
                _thinned(recall[::-1], precision[::-1]),
                float(metrics.average_precision_score(truth, given)),
            )
        )
    return sorted(found, key=lambda curve: curve.average_precision)


def draw_roc(curves: Sequence[ClassCurves]) -> go.Figure:
    """Draw the ROC curves of the first few classes, and chance."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot", "width": 1}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for place, curve in enumerate(curves[:SHOWN]):
        _add(figure, curve.roc, f"{plain(curve.name)} (AUC {curve.area:.3f})", place)
    return _finished(figure, "Is each class told from the rest?", "false positive rate", "true positive rate")


def draw_precision(curves: Sequence[ClassCurves]) -> go.Figure:
    """Draw the precision-recall curves of the first few classes."""
    figure = go.Figure()
    for place, curve in enumerate(curves[:SHOWN]):
        _add(figure, curve.precision, f"{plain(curve.name)} (AP {curve.average_precision:.3f})", place)
    return _finished(figure, "How precise is it when it finds more of a class?", "recall", "precision")


def _thinned(x: np.ndarray, y: np.ndarray) -> Line:
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return tuple(x[places].tolist()), tuple(y[places].tolist())


def _add(figure: go.Figure, line: Line, name: str, place: int) -> None:
    look = {"color": PALETTE[place], "width": 2, "dash": DASHES[place % 2]}
    figure.add_scatter(x=line[0], y=line[1], name=name, mode="lines", line=look)


def _finished(figure: go.Figure, title: str, x: str, y: str) -> go.Figure:
    finish(figure, title, x, y)
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    figure.update_layout(hovermode="closest", showlegend=True)
    return figure
