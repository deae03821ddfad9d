"""Learning curves as numbers: what lies on the x axis, smoothing, and the mean over the runs of a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

Axis: TypeAlias = Literal["epoch", "step", "time", "images"]
Band: TypeAlias = Literal["interval", "deviation"]
AXES: tuple[Axis, ...] = get_args(Axis)
BANDS: tuple[Band, ...] = get_args(Band)
# Metrics that are the difference of two others: how much better a model is on the images that it learned.
GAPS = {"accuracy_gap": ("accuracy", "val_accuracy"), "loss_gap": ("val_loss", "loss")}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class EpochSize:
    """What one epoch of a run is. steps: optimizer steps; total: those of the whole run."""

    images: int
    steps: int
    total: int


@dataclass(frozen=True)
class Curve:
    """One metric of a run, or its mean over the runs of a group.

    Attributes:
        x: In epochs, optimizer steps, seconds of training or images.
        y: At each x, smoothed where that was asked for.
        low, high: Bounds of the band of a group; empty for one run. NaN where one run alone got that far.
        runs: How many runs each mean is of; empty for one run.
        raw: What was logged, where `y` is smoothed; else empty.
        not_finite: How many runs of a group logged a value that is no number; they leave the mean there.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    runs: tuple[int, ...] = ()
    raw: tuple[float, ...] = ()
    not_finite: int = 0


def logged_metrics(metric: str) -> tuple[str, ...]:
    """Return the logged metrics that a metric is computed from: itself, or the two of a gap."""
    return GAPS.get(metric, (metric,))


def table(history: pd.DataFrame, axis: Axis, sizes: Mapping[str, EpochSize] | None = None) -> pd.DataFrame:
    """Arrange a history as one row per run and epoch.

    Args:
        history: As `frames.histories` gives it, with `epoch_seconds` for the axis of time.
        sizes: By run id, for the axes of steps and images; runs without one are left out there.

    Returns:
        Indexed by run_id and step; a column per metric, those of `GAPS`, and `x`.
    """
    rows = history.drop_duplicates(["run_id", "metric", "step"], keep="last")
    if rows.empty:
        return pd.DataFrame(columns=["x"])
    wide = rows.pivot(index=["run_id", "step"], columns="metric", values="value").astype(float)
    for gap, (more, less) in GAPS.items():
        if {more, less} <= {*wide.columns}:
            wide[gap] = wide[more] - wide[less]
    epochs = wide.index.get_level_values("step").to_series(index=wide.index).astype(float)
    ids = wide.index.get_level_values("run_id")
    if axis == "epoch":
        wide["x"] = epochs
    elif axis == "time":
        wide["x"] = _seconds(wide, rows)
    else:
        known = sizes or {}
        if axis == "images":
            wide["x"] = epochs * [known[one].images if one in known else math.nan for one in ids]
        else:
            steps = epochs * [known[one].steps if one in known else math.nan for one in ids]
            wide["x"] = np.minimum(steps, [known[one].total if one in known else math.nan for one in ids])
    return wide[wide["x"].notna()]


def _seconds(wide: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Seconds of training up to each epoch; of runs that did not log them, seconds since the first value."""
    logged = wide["epoch_seconds"] if "epoch_seconds" in wide else pd.Series(math.nan, index=wide.index)
    summed = logged.groupby(level="run_id").cumsum()
    complete = logged.notna().groupby(level="run_id").transform("all")
    times = rows.groupby(["run_id", "step"])["time"].max().reindex(wide.index)
    since = times - times.groupby(level="run_id").transform("min")
    return summed.where(complete, since.dt.total_seconds())


def curve_of(
    table: pd.DataFrame,
    run_ids: Sequence[str],
    metric: str,
    smoothing: float = 0.0,
    band: Band = "interval",
) -> Curve | None:
    """Return the curve of a run, or of the mean of a group of them; None where none of them logged it.

    The mean of a group is taken at every epoch that at least two of its runs reached, where two did
    anywhere. Of other axes than epochs, x is the mean there as well.

    Args:
        table: As `table` gives it.
        smoothing: The weight of what came before, from 0 to below 1, of an exponential mean.
    """
    if metric not in table:
        return None
    if len(run_ids) == 1:
        rows = slice(*table.index.slice_locs(run_ids[0], run_ids[0]))  # the table is sorted by run
        x, y = (table[name].to_numpy()[rows] for name in ("x", metric))
        logged = ~np.isnan(y)
        values = tuple(y[logged].tolist())
        if not values:
            return None
        return Curve(tuple(x[logged].tolist()), smoothed(values, smoothing), raw=values if smoothing else ())
    chosen = table[table.index.isin(run_ids, level="run_id")][["x", metric]]
    chosen = chosen[chosen[metric].notna()]
    if chosen.empty:
        return None
    finite = np.isfinite(chosen[metric])
    broken = chosen[~finite].index.get_level_values("run_id").nunique()
    groups = chosen[finite].groupby(level="step")
    found = groups[metric].agg(["mean", "std", "count"]).assign(x=groups["x"].mean())
    if (found["count"] > 1).any():
        found = found[found["count"] > 1]
    spread = found["std"] * ([half_width(count) for count in found["count"]] if band == "interval" else 1.0)
    mean = _numbers(found["mean"])
    bounds = _bounds(metric, chosen[metric][finite])
    low, high = (_numbers((found["mean"] + sign * spread).clip(*bounds)) for sign in (-1, 1))
    return Curve(
        _numbers(found["x"]),
        smoothed(mean, smoothing),
        smoothed(low, smoothing),
        smoothed(high, smoothing),
        tuple(found["count"].tolist()),
        raw=mean if smoothing else (),
        not_finite=broken,
    )


def range_of(table: pd.DataFrame, run_ids: Sequence[str], metric: str) -> Curve | None:
    """Return the band from the lowest to the highest value of many runs at each epoch; y is their median."""
    if metric not in table:
        return None
    chosen = table[table.index.isin(run_ids, level="run_id") & np.isfinite(table[metric])]
    if chosen.empty:
        return None
    groups = chosen.groupby(level="step")
    found = groups[metric].agg(["median", "min", "max", "count"]).assign(x=groups["x"].mean())
    x, median, lowest, highest = (_numbers(found[name]) for name in ("x", "median", "min", "max"))
    return Curve(x, median, lowest, highest, tuple(found["count"].tolist()))


def smoothed(values: Sequence[float], weight: float) -> tuple[float, ...]:
    """Return the exponential mean of values, without the pull of its start towards 0.

    What is no number stays where it is and is left out of the mean.
    """
    if not weight:
        return tuple(values)
    found, mean, total = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            total = weight * total + (1 - weight)
        found.append(mean / total if math.isfinite(value) else value)
    return tuple(found)


def _bounds(metric: str, values: pd.Series) -> tuple[float, float]:
    """Return between which values a metric of this name lies, if those that were logged do."""
    if metric.endswith("accuracy") and values.between(0, 1).all():
        return 0.0, 1.0
    return (0.0 if metric.endswith("loss") and (values >= 0).all() else -math.inf), math.inf


def half_width(count: int) -> float:
    """Half of the 95% interval of a mean of `count` values, in their standard deviations, after Student."""
    if count < 2:
        return math.nan  # without the import, which takes a third of a second
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) / math.sqrt(count)


def _numbers(values: pd.Series) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
