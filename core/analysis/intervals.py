"""Intervals for accuracies: what a share of right answers on some images says of other images."""

from __future__ import annotations

import math
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
    from scipy.special import ndtri  # the whole of scipy.stats or statsmodels takes a second to import

    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    middle = share + z2 / (2 * images)
    reach = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * images)) / images)
    return Interval(*((max(0.0, middle + side) / (1 + z2 / images)) for side in (-reach, reach)))
