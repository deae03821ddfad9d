"""Intervals for accuracies: what a share of right answers on some images says of other images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


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

    low, high = wilson_limits(share, images, float(ndtri((1 + confidence) / 2)))
    return Interval(max(0.0, float(low)), float(high))


def wilson_limits(share: Any, images: Any, z: float) -> tuple[Any, Any]:
    """Compute both ends of the Wilson score interval, of one share or of arrays or columns of them.

    Args:
        share: From 0 to 1.
        images: How many were answered, at least 1.
        z: Standard errors that the interval reaches to either side, 1.96 for 95 %.
    """
    z2 = z**2
    middle, whole = share + z2 / (2 * images), 1 + z2 / images
    reach = z * np.sqrt((share * (1 - share) + z2 / (4 * images)) / images)
    return (middle - reach) / whole, (middle + reach) / whole
