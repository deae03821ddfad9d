"""Intervals for accuracies: what a share of right answers on some images says of other images."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """Two fractions between which the true one lies with 95 % confidence."""

    low: float
    high: float


def wilson(share: float, images: float, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval of a share of right answers.

    It holds near 0 and 1 and on few images, where mean ± 2 standard errors leaves the range of fractions.
    Of the mean of several runs on the same images it says how far other images may move it, not other seeds.

    Args:
        share: From 0 to 1.
        images: How many were answered, at least 1.
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(share * images, images, alpha=1 - confidence, method="wilson")
    return Interval(float(low), float(high))
