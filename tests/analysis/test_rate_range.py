"""A range test's suggestion, on a curve whose steepest place is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.rate_range import points, smoothed, suggestion
from core.figures import rate_range
from core.tracking import schema

RATES = np.logspace(-6, 0, 200)


def test_the_steepest_place_is_found() -> None:
    losses = 2 - 1 / (1 + (1e-3 / RATES) ** 2)  # falls from 2 to 1, fastest at 0.001
    found = suggestion(RATES, losses)
    assert found is not None
    assert 1e-3 / 2 < found < 1e-3 * 3


def test_the_suggestion_is_the_middle_of_the_ten_steps_over_which_the_loss_falls_fastest() -> None:
    """The running mean nears a constant slope from below, so the last ten steps are the steepest."""
    losses = np.append(np.full(100, 2.0), np.linspace(2, 1, 100))
    assert suggestion(RATES, losses) == RATES[-1 - 5]
    assert suggestion(np.append(0, RATES), np.append(9.0, losses)) == RATES[-1 - 5]  # 0 has no logarithm


def test_the_slope_is_by_powers_of_ten_not_by_steps() -> None:
    """The same fall at every step: steepest where the rates are dense."""
    dense, sparse = np.logspace(-5, -4, 50), np.logspace(-4, 0, 50)[1:]
    rates = np.append(dense, sparse)
    found = suggestion(rates, np.linspace(2, 1, len(rates)))
    assert found is not None
    assert found <= dense[-1]


def test_a_loss_that_only_rises_suggests_nothing() -> None:
    assert suggestion(RATES, 1 + RATES) is None
    assert suggestion(RATES, np.zeros(200)) is None
    for few in (5, 10):
        assert suggestion(RATES[:few], np.linspace(2, 1, few)) is None


def test_what_ran_away_is_left_out() -> None:
    losses = 2 - 1 / (1 + (1e-3 / RATES) ** 2)
    losses[-3:] = [np.inf, np.nan, np.nan]
    assert suggestion(RATES, losses) == suggestion(RATES[:-3], losses[:-3])


def test_the_running_mean_of_a_constant_is_it() -> None:
    np.testing.assert_allclose(smoothed(np.full(20, 3.0)), 3.0)


def test_points_come_from_the_history() -> None:
    rows = [("r", "range_rate", 1, 1e-6), ("r", "range_loss", 1, 2.0), ("r", "range_rate", 2, 1e-5)]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "step", "value"])
    rates, losses = points(history)
    assert (rates.tolist(), losses.tolist()) == ([1e-6], [2.0])
    assert set(schema.RANGE_METRICS) == {"range_rate", "range_loss"}
    assert [len(one) for one in points(history.iloc[:0])] == [0, 0]


def test_the_step_that_ran_away_presses_nothing_flat_and_the_suggestion_stands_at_its_line() -> None:
    losses = np.append(np.full(199, 2.0), 50.0)
    figure = rate_range.draw(RATES, losses, 1e-3)
    assert figure.layout.yaxis.range[1] < 10
    assert figure.layout.annotations[0].x == -3  # the axis is logarithmic
    assert figure.layout.shapes[0].x0 == 1e-3
