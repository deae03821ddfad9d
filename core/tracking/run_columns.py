"""One key of many runs as a column: its values in an array, in the order of the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.tracking.lazy_pandas import pd
from core.tracking.tables import with_infinity


@dataclass
class Column:
    """The values of one key, one for each run in the order of `Runs.ids`; absent ones are None or NaN.

    present: which runs have it, for a metric may be NaN. steps: of a metric's last value.
    """

    values: np.ndarray
    present: np.ndarray
    steps: np.ndarray | None = None
    _series: pd.Series | None = field(default=None, repr=False)

    def remove(self, places: Sequence[int]) -> None:
        """Let no run at these places have a value."""
        self.values[places] = np.nan if self.is_metric else None
        self.present[places] = False
        self._series = None

    def put(self, places: Sequence[int], found: Sequence[Sequence[Any]]) -> None:
        """Set the values at some places, as `column_of` takes them."""
        at = np.fromiter(places, dtype=np.int64, count=len(places))
        new = column_of(self.is_metric, list(found))
        self.values[at], self.present[at] = new.values, True
        if self.steps is not None:
            self.steps[at] = new.steps
        self._series = None

    def moved(self, old: np.ndarray) -> Column:
        """Return the column for another list of runs. old: the place of each in this one, -1 for none."""
        if not len(self.values):
            return column_of(self.is_metric, [None] * len(old))
        found = Column(self.values[old], self.present[old], None if self.steps is None else self.steps[old])
        found.remove(np.flatnonzero(old < 0).tolist())
        return found

    def as_series(self) -> pd.Series:
        """Return the values as a frame has them: of a metric floats, else text. Made once."""
        if self._series is None:
            self._series = (
                with_infinity(pd.Series(self.values.copy()))
                if self.is_metric
                else pd.Series(self.values, dtype="str")
            )
        return self._series

    @property
    def is_metric(self) -> bool:
        return self.steps is not None


def column_of_rows(
    is_metric: bool, rows: Sequence[Sequence[Any]], places: Mapping[str, int], same: dict[Any, Any]
) -> Column:
    """Make a column of the rows of its key: run_uuid, key, value, of a metric also is_nan and step.

    Args:
        is_metric: Whether its values are numbers.
        rows: In any order; those of runs without a place are left out.
        places: Of all runs.
        same: Each text that occurred, by itself: columns share those of many runs.
    """
    present = np.zeros(len(places), dtype=bool)
    values = np.full(len(places), np.nan) if is_metric else np.full(len(places), None, dtype=object)
    steps = np.zeros(len(places)) if is_metric else None
    if rows:
        run_ids, _, found, *rest = zip(*rows, strict=True)
        at = np.fromiter((places.get(run_id, -1) for run_id in run_ids), dtype=np.int64, count=len(rows))
        known = at >= 0
        at = at[known]
        present[at] = True
        if steps is not None:
            is_nan, step = (np.array(one, dtype=float)[known] for one in rest)
            values[at] = np.where(is_nan, np.nan, np.array(found, dtype=float)[known])
            steps[at] = step
        else:
            texts = np.empty(len(rows), dtype=object)
            texts[:] = [same.setdefault(one, one) for one in found]
            values[at] = texts[known]
    return Column(values, present, steps)


def column_of(is_metric: bool, found: Sequence[Sequence[Any] | None]) -> Column:
    """Make a column of values as they were read.

    Args:
        is_metric: Whether its values are numbers.
        found: One for each run: None where it has none, else (value,), of a metric (value, is_nan, step).
    """
    present = np.array([one is not None for one in found], dtype=bool)
    if not is_metric:
        values = np.empty(len(found), dtype=object)
        values[:] = [None if one is None else one[0] for one in found]
        return Column(values, present)
    numbers = np.array(
        [(np.nan, 0) if one is None else (np.nan if one[1] else one[0], one[2]) for one in found], dtype=float
    ).reshape(-1, 2)
    return Column(numbers[:, 0].copy(), present, numbers[:, 1].copy())
