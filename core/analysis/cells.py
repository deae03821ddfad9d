"""Numbers of a column as text: all with one unit and as many digits, so that a column can be read down."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.table_columns import FRACTIONS, TableColumn

DIGITS = 4  # that the largest number of a column has, where nothing else is agreed on
ABSENT = "–"


@dataclass(frozen=True)
class Digits:
    """How the numbers of a column are written.

    Attributes:
        decimals: After the point.
        scale: What a number is multiplied by first.
        unit: Written after it.
    """

    decimals: int
    scale: float = 1.0
    unit: str = ""

    def text(self, number: float, unit: bool = True) -> str:
        """Write a number; a dash for NaN."""
        if math.isnan(number):
            return ABSENT
        return f"{self.scale * number:,.{self.decimals}f}{self.unit if unit else ''}"

    def signed(self, number: float) -> str:
        """Write a difference with its sign: that of two percentages is in points."""
        if math.isnan(number):
            return ABSENT
        unit = " points" if self.unit == "%" else self.unit
        return f"{self.scale * number:+,.{self.decimals}f}{unit}"

    def interval(self, mean: float, half: float) -> str:
        """Write a mean with half the width of its interval; the mean alone where that is NaN."""
        if math.isnan(mean) or math.isnan(half):
            return self.text(mean)
        return f"{self.text(mean, unit=False)} ± {self.scale * half:,.{self.decimals}f}{self.unit}"


def digits_of(column: TableColumn, numbers: pd.Series) -> Digits:
    """Decide how the numbers of a column are written: accuracies in per cent, counts whole."""
    if column.key in FRACTIONS:
        return Digits(2, 100.0, "%")
    known = numbers.to_numpy(dtype=float, na_value=np.nan)
    known = known[np.isfinite(known)]
    if not len(known) or (known == np.round(known)).all():
        return Digits(0)
    if "seconds" in column.key:
        return Digits(1)
    largest = float(np.abs(known).max())
    return Digits(min(max(DIGITS - 1 - math.floor(math.log10(largest)), 0), 9) if largest else 0)
