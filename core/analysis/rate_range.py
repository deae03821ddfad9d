"""What a learning-rate range test says: "Cyclical Learning Rates", arXiv:1506.01186, section 3.3."""

from __future__ import annotations

import numpy as np
import pandas as pd

SMOOTHING = 0.9  # share of the old in the running mean of the loss
WINDOW = 10  # steps over which the slope is taken


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Return the exponential mean of losses, float64 `(n,)`, bias-corrected as Adam corrects its moments."""
    means, mean = np.empty(len(losses)), 0.0
    for step, loss in enumerate(losses):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        means[step] = mean / (1 - SMOOTHING ** (step + 1))
    return means


def suggestion(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """Return the rate at which the smoothed loss falls fastest over its logarithm; None where it never falls.

    Args:
        rates: float `(n,)`, ascending, above 0.
        losses: float `(n,)`, one per rate.
    """
    usable = np.isfinite(losses) & (rates > 0)
    rates, losses = rates[usable], losses[usable]
    if len(rates) <= WINDOW:
        return None
    means, places = smoothed(losses), np.log10(rates)
    slopes = (means[WINDOW:] - means[:-WINDOW]) / (places[WINDOW:] - places[:-WINDOW])
    steepest = int(slopes.argmin())
    return float(rates[steepest + WINDOW // 2]) if slopes[steepest] < 0 else None


def points(history: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return rates and losses `(n,)` of a run's range test, in order; both empty when it made none."""
    table = history.pivot_table(index="step", columns="metric", values="value")
    if not {"range_rate", "range_loss"} <= set(table.columns):
        return np.empty(0), np.empty(0)
    table = table.dropna(subset=["range_rate", "range_loss"])
    return table["range_rate"].to_numpy(), table["range_loss"].to_numpy()
