"""Curves: the x axis, the smoothing and the mean of a group are what their names say."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.analysis import curves
from core.analysis.curves import Curve, EpochSize, curve_of, smoothed

BEGAN = pd.Timestamp("2026-01-01", tz="UTC")


def history(**values: dict[str, list[float]]) -> pd.DataFrame:
    """The metrics of runs by their ids, epoch after epoch, ten seconds apart."""
    rows = [
        (run_id, metric, step, value, BEGAN + pd.Timedelta(seconds=10 * step))
        for run_id, metrics in values.items()
        for metric, those in metrics.items()
        for step, value in enumerate(those, start=1)
    ]
    return pd.DataFrame(rows, columns=["run_id", "metric", "step", "value", "time"])


LOGGED = history(
    a={"val_loss": [3.0, 1.0, 0.5], "loss": [2.0, 0.5, 0.25], "epoch_seconds": [5.0, 2.0, 2.0]},
    b={"val_loss": [5.0, 2.0]},
    c={"val_loss": [4.0, math.inf]},
)
SIZES = {"a": EpochSize(100, 4, 10), "b": EpochSize(200, 8, 16)}


@pytest.mark.parametrize(
    ("axis", "a", "b"),
    [
        ("epoch", (1, 2, 3), (1, 2)),
        ("step", (4, 8, 10), (8, 16)),  # the last epoch was cut by the number of steps
        ("images", (100, 200, 300), (200, 400)),
        ("time", (5, 7, 9), (0, 10)),  # without seconds of epochs: since its first value
    ],
)
def test_the_axis_is_epochs_steps_images_or_seconds(axis: curves.Axis, a: tuple, b: tuple) -> None:
    table = curves.table(LOGGED, axis, SIZES)
    assert [curve_of(table, [one], "val_loss").x for one in ("a", "b")] == [a, b]
    if axis in ("step", "images"):
        assert curve_of(table, ["c"], "val_loss") is None, "how many images it used is not known"


def test_a_gap_is_how_much_worse_validation_is() -> None:
    table = curves.table(LOGGED, "epoch")
    assert curve_of(table, ["a"], "loss_gap") == Curve((1, 2, 3), (1.0, 0.5, 0.25))
    assert curve_of(table, ["b"], "loss_gap") is None
    assert curve_of(table, ["a"], "accuracy_gap") is None


def test_the_mean_of_a_group_is_over_all_runs_where_two_at_least_got() -> None:
    table = curves.table(LOGGED, "epoch")
    found = curve_of(table, ["a", "b", "c"], "val_loss")
    assert (found.x, found.y, found.runs, found.not_finite) == ((1, 2), (4.0, 1.5), (3, 2), 1)
    for place, values in enumerate(((3.0, 5.0, 4.0), (1.0, 2.0))):
        interval = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low[place], found.high[place]) == pytest.approx((max(0.0, interval[0]), interval[1]))
    deviation = curve_of(table, ["a", "b", "c"], "val_loss", band="deviation")
    assert (deviation.low[0], deviation.high[0]) == pytest.approx((3.0, 5.0))


@pytest.mark.parametrize("band", ["interval", "deviation"])
@pytest.mark.parametrize(
    ("metric", "values", "low", "high"),
    [
        ("val_accuracy", (0.02, 0.5, 0.99), 0.0, 1.0),
        ("val_loss", (0.01, 0.02, 9.0), 0.0, None),
        ("accuracy_gap", (0.01, 0.02, 0.3), None, None),
        ("val_loss", (-0.1, 0.02, 3.0), None, None),  # a loss of somebody's own
    ],
)
def test_a_band_stays_where_the_metric_can_be(
    metric: str, values: tuple[float, ...], low: float | None, high: float | None, band: curves.Band
) -> None:
    index = pd.MultiIndex.from_tuples([(one, 1) for one in "abc"], names=["run_id", "step"])
    table = pd.DataFrame({"x": 1.0, metric: values}, index=index)
    found = curve_of(table, ["a", "b", "c"], metric, band=band)
    half = np.std(values, ddof=1) * (curves.half_width(3) if band == "interval" else 1)
    wide = np.mean(values) - half, np.mean(values) + half
    assert found.low[0] == pytest.approx(wide[0] if low is None else max(low, wide[0]))
    assert found.high[0] == pytest.approx(wide[1] if high is None else min(high, wide[1]))


def test_smoothing_is_the_debiased_exponential_mean_and_keeps_what_was_logged() -> None:
    values = (1.0, 4.0, 2.0)
    by_pandas = pd.Series(values).ewm(alpha=0.4, adjust=True).mean()
    assert smoothed(values, 0.6) == pytest.approx(by_pandas.tolist())
    assert smoothed((1.0, math.nan, 1.0), 0.5)[2] == 1.0
    curve = curve_of(curves.table(LOGGED, "epoch"), ["a"], "val_loss", smoothing=0.6)
    assert curve.raw == (3.0, 1.0, 0.5)
    assert curve.y != curve.raw
