"""Choose the values that become black and white in images deeper than 8 bits: one range per dataset."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from core.images.deep import Samples
from core.images.strips import strips

# The rule of a dataset for deep images. A pair: these two values become 0 and 255, whatever lies outside is
# clipped. IMAGE: it has none; a later one is scaled by its own values, with a note. FULL: it was imported
# before ranges were recorded, when integers were divided by 65,535 and floats by 1, 255 or 65,535.
Rule = tuple[float, float] | Literal["image", "full"]
IMAGE: Literal["image"] = "image"
FULL: Literal["full"] = "full"

USUAL_INTEGERS = (255, 1023, 4095, 16383, 65535)
USUAL_FLOATS = (1, 255, 65535)
FULL_INTEGERS = (0.0, 65535.0)
INNER = (0.1, 99.9)  # percentiles of an image between which nearly all of its values lie
FAR = 4  # a range this many times wider than the inner values is stretched by outliers
UNRECORDED = (
    "Imported before value ranges were recorded: integers of more than 8 bits were divided by 65,535, floats "
    "by 1, 255 or 65,535 after the values of each image. Import such images again to have one range for all."
)
FULL_RANGE = "integers are divided by 65,535, floats by 1, 255 or 65,535 after the values of each image"
MIN_FILLED = 0.5  # of a usual range; below, the range is that of the values themselves


class Measured(NamedTuple):
    """The values of one deep image: smallest, largest, those at the INNER percentiles.

    Whether they are floats.
    """

    low: float
    high: float
    inner_low: float
    inner_high: float
    is_float: bool


@dataclass(frozen=True)
class Spread:
    """The values of all deep images of a source. count: how many there are."""

    count: int
    low: float
    high: float
    inner_low: float
    inner_high: float
    kinds: frozenset[bool]


def measure(samples: Samples) -> Measured | None:
    """Measure an image's visible values; None when all of it is transparent."""
    if samples.values.dtype == np.uint16:  # counting takes less memory than sorting
        return _counted(samples)
    values = samples.visible(slice(None))
    if not values.size:
        return None
    inner = np.percentile(values, INNER, method="nearest")
    return Measured(
        float(values.min()), float(values.max()), float(inner[0]), float(inner[1]), values.dtype.kind == "f"
    )


def _counted(samples: Samples) -> Measured | None:
    """Do `measure` for integers of 16 bits."""
    counts = np.zeros(65536, np.int64)
    for rows in strips(*samples.values.shape[:2]):
        counts += np.bincount(samples.visible(rows).reshape(-1), minlength=65536)
    below = counts.cumsum()  # cumulative counts
    if not below[-1]:
        return None
    last = int(below[-1]) - 1
    # Half-way between two values numpy takes the one at the even place, as `round` does.
    places = (0, last, *(round(share / 100 * last) for share in INNER))
    low, high, inner_low, inner_high = (
        float(np.searchsorted(below, place, side="right")) for place in places
    )
    return Measured(low, high, inner_low, inner_high, False)


def spread(measured: Iterable[Measured]) -> Spread | None:
    """Combine the values of all images; None when there are none."""
    found = list(measured)
    if not found:
        return None
    lows, highs, inner_lows, inner_highs, kinds = zip(*found, strict=True)
    return Spread(
        len(found), min(lows), max(highs), min(inner_lows), max(inner_highs), frozenset(map(bool, kinds))
    )


def find_range(found: Spread | None) -> tuple[float, float]:
    """Return the range of a dataset.

    A usual range (0 to 255, 1,023, 4,095, ...) if its values fill at least half of it, otherwise from the
    smallest value to the largest.
    """
    if found is None:  # deep images without a visible value
        return FULL_INTEGERS
    usual = _usual(found.low, found.high, True in found.kinds)
    if usual and found.high - found.low >= MIN_FILLED * usual[1]:
        return usual
    return _between(found.low, found.high)


def range_of_one(samples: Samples) -> tuple[float, float]:
    """Return the smallest usual range that contains an image's values; otherwise from smallest to largest."""
    found = measure(samples)
    if found is None:
        return FULL_INTEGERS
    usual = _usual(found.low, found.high, found.is_float)
    return usual or _between(found.low, found.high)


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Convert values to uint8: `low` becomes 0, `high` 255, values outside are clipped."""
    if values.dtype == np.uint16:  # a table of all values costs less than arithmetic on every pixel
        return _eight_bit(np.arange(65536), low, high)[values]
    return _eight_bit(values, low, high)


def share_outside(samples: Samples, low: float, high: float) -> float:
    """Return the share of an image's visible values that scaling to a range clips, 0 to 1."""
    outside = count = 0
    for rows in strips(*samples.values.shape[:2]):
        values = samples.visible(rows)
        outside += int(np.count_nonzero((values < low) | (values > high)))
        count += values.size
    return outside / count if count else 0.0


def check_range(value_range: Sequence[float] | None) -> tuple[float, float] | None:
    """Return a given range as two numbers. Raises ValueError with the rule and what was received."""
    if value_range is None:
        return None
    numbers = tuple(float(value) for value in value_range)
    if len(numbers) != 2 or not _is_range(*numbers):
        raise ValueError(
            "`value_range` must be two numbers, the value that becomes black and a larger one that becomes "
            f"white. Received: {', '.join(f'{number:g}' for number in numbers)}."
        )
    return numbers[0], numbers[1]


def rule_from_json(value: Any) -> Rule:
    """Return the rule that a manifest or a run logged; FULL for none."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return float(value[0]), float(value[1])
    return IMAGE if value == IMAGE else FULL


def number(value: float) -> str:
    """Format a value for a sentence: 4,095 or 0.25."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


def range_notes(
    found: Spread | None, value_range: tuple[float, float], deep: int, shallow: int, clipped: int, given: bool
) -> tuple[str, ...]:
    """Describe what an import did to deep images.

    Args:
        found: their values, None when the range was given.
        deep: how many images were deeper than 8 bits.
        shallow: how many were not.
        clipped: how many have values outside the range.
    """
    low, high = map(number, value_range)
    told = [
        f"{deep:,} images are deeper than 8 bits. One value range was used for all of them, "
        + ("as given: " if given else "found over all of them: ")
        + f"{low} became black and {high} white."
    ]
    if found and len(found.kinds) > 1:
        told.append("They are integers and floats, which share that range: check that they mean the same.")
    if found and (found.high - found.low) > FAR * max(found.inner_high - found.inner_low, 1e-12):
        told.append(
            f"In every image 99.8% of the values lie between {number(found.inner_low)} and "
            f"{number(found.inner_high)}, a small part of that range. If the others are faults (dead pixels, "
            "a marker for missing data), import again with a value range."
        )
    if clipped:
        told.append(f"{clipped:,} of them have values outside the range, which were clipped.")
    if shallow:
        told.append(f"The other {shallow:,} images have 8 bits and were kept as they are, 0 to 255.")
    return tuple(told)


def _usual(low: float, high: float, is_float: bool) -> tuple[float, float] | None:
    usual = USUAL_FLOATS if is_float else USUAL_INTEGERS
    fitting = [full for full in usual if low >= 0 and high <= full]
    return (0.0, float(fitting[0])) if fitting else None


def _between(low: float, high: float) -> tuple[float, float]:
    """Return the range from the smallest value to the largest; if all are equal, up to the next larger one.

    Adding 1 is not always larger: a float of 1e17 plus 1 is the same float.
    """
    return (low, high) if high > low else (low, max(low + 1, math.nextafter(low, math.inf)))


def _is_range(low: float, high: float) -> bool:
    """Return whether values can be scaled to a range: not empty, nor too small or large to divide by."""
    return low < high and math.isfinite(high - low) and high - low >= sys.float_info.min


def _eight_bit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if not high > low:  # earlier versions stored the range of large equal values so
        low, high = _between(low, high)
    shifted = (np.clip(values.astype(np.float64), low, high) - low) * (255 / (high - low))
    return np.clip(shifted, 0, 255).round().astype(np.uint8)
