"""The lines of a chart of learning curves: one per run or group of runs, in the order of the entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from core.analysis import curves
from core.analysis.curves import Axis, Band, Curve
from core.analysis.entries import Entry

MAX_LINES = 30  # past that a chart can neither be read nor redrawn quickly
TRAINING_OF = {"val_accuracy": "accuracy", "val_loss": "loss"}


@dataclass(frozen=True)
class Look:
    """How curves are shown. smoothing: see `core.analysis.curves.curve_of`. training: beside validation."""

    axis: Axis = "epoch"
    smoothing: float = 0.0
    band: Band = "interval"
    training: bool = False
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Line:
    """The curve of one entry. training: of the same metric on the training set; else None."""

    key: str
    name: str
    curve: Curve
    training: Curve | None = None


@dataclass(frozen=True)
class Lines:
    """What one chart shows.

    Attributes:
        rest: Lowest to highest value of the entries past `MAX_LINES`; None where there are none.
        rest_of: How many entries that are.
        missing: Names of entries that have no such values, or not on this axis.
    """

    lines: tuple[Line, ...]
    rest: Curve | None = None
    rest_of: int = 0
    missing: tuple[str, ...] = ()


def collect(
    history: pd.DataFrame,
    entries: Sequence[Entry],
    metric: str,
    look: Look | None = None,
    sizes: Mapping[str, curves.EpochSize] | None = None,
) -> Lines:
    """Collect the curves of one metric, in the order of the entries.

    Args:
        history: As `frames.histories` gives it.
        sizes: By run id; needed for the axes of steps and images alone.
    """
    look = look or Look()
    return collect_from(curves.table(history, look.axis, sizes), entries, metric, look)


def collect_from(table: pd.DataFrame, entries: Sequence[Entry], metric: str, look: Look) -> Lines:
    """Collect as `collect` does, from `core.analysis.curves.table`, which several charts share."""
    drawn: list[Line] = []
    over: list[Entry] = []
    missing: list[str] = []
    beside = TRAINING_OF.get(metric) if look.training else None
    for entry in entries:
        curve = curves.curve_of(table, entry.run_ids, metric, look.smoothing, look.band)
        if curve is None or not curve.x:
            missing.append(entry.name)
        elif len(drawn) < MAX_LINES:
            training = None
            if beside is not None:
                training = curves.curve_of(table, entry.run_ids, beside, look.smoothing, look.band)
            drawn.append(Line(entry.key, entry.name, curve, training))
        else:
            over.append(entry)
    rest_ids = [run_id for entry in over for run_id in entry.run_ids]
    rest = curves.range_of(table, rest_ids, metric) if over else None
    return Lines(tuple(drawn), rest, len(over), tuple(missing))
