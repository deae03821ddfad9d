"""The order of a table of runs by one of its columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.table_columns import TableColumn


def ordered(values: pd.Series, column: TableColumn, reverse: bool = False) -> np.ndarray:
    """Return the positions of the rows in the order of a column; equal ones stay in their order.

    The best come first where one of two numbers is better, the newest of times, else the smallest; texts that
    are numbers count as numbers. Rows without a value are last in either direction.

    Args:
        values: The column, as `table_columns.values` gives it, or the means of groups.
        reverse: Whether the order of the rows that have a value is turned around.
    """
    if not pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_datetime64_any_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        values = numbers if numbers.notna().eq(values.notna()).all() else values.str.lower()
    times = pd.api.types.is_datetime64_any_dtype(values)
    descending = (times or column.more_is_better is True) != reverse
    places = values.reset_index(drop=True).sort_values(
        ascending=not descending, kind="stable", na_position="last"
    )
    return places.index.to_numpy()
