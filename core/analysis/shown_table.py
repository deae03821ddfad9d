"""The table of chosen runs and groups, as pages show it and commands print it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from core.analysis import grouping, table_columns
from core.analysis.curves import Band
from core.analysis.entries import Entry
from core.analysis.export import Table
from core.analysis.table_columns import TableColumn

MARK, RUN, COUNT = "best", "run", "n"  # columns beside those of the catalogue
DIFFERENCE = "Δ "  # before the name of a column
# What a table of runs shows unless somebody chooses otherwise, in this order.
DEFAULT_COLUMNS = (
    "model.name",
    "data.name",
    "state",
    "remarks",
    "validation",
    "test_accuracy",
    "best_epoch",
    "last_epoch",
    "kept_epoch",
    "parameters",
    "train_seconds",
    "test_calibration_error",
    "test_calibration_floor",
)


def build(
    entries: Sequence[Entry],
    runs: pd.DataFrame,
    names: Sequence[str],
    available: Mapping[str, TableColumn],
    *,
    few_classes: Collection[str] = (),
    band: Band = "interval",
    baseline: Entry | None = None,
    marks: Mapping[str, str] | None = None,
    drop_empty: bool = True,
) -> Table:
    """Build the table of some runs and groups: model and dataset, the name, then the other columns.

    Args:
        runs: At least the runs of the entries and of the baseline, with what the columns need.
        names: Columns of the catalogue `available`.
        few_classes: As in `table_columns.values`.
        band: What stands after ± beside the mean of a group.
        baseline: Every number of which one is better than another gets its difference from this one's.
        marks: Of the best runs, by id; None for a table without them.
        drop_empty: Whether columns are left out in which nothing has a value.
    """
    columns = {name: table_columns.values(runs, available[name], few_classes) for name in names}
    asked = [*entries, *([baseline] if baseline is not None else [])]
    summary = grouping.summarize(asked, runs, columns, band)
    means = summary.means.iloc[: len(entries)]
    if drop_empty:
        means = means.dropna(axis="columns", how="all")
    leading = [name for name in ("model.name", "data.name") if name in means]
    shown: dict[str, object] = {}
    if marks is not None:
        shown[MARK] = [marks.get(entry.key, "") for entry in entries]
    shown |= {name: means[name] for name in leading}
    shown[RUN] = [entry.name for entry in entries]
    if any(entry.is_group for entry in entries):
        shown[COUNT] = summary.counts.iloc[: len(entries)]
    differences: dict[str, str] = {}
    for name in means:
        if name in leading:
            continue
        shown[name] = means[name]
        numbers = pd.api.types.is_numeric_dtype(means[name])
        if baseline is not None and numbers and available[name].more_is_better is not None:
            differences[f"{DIFFERENCE}{name}"] = name
            shown[f"{DIFFERENCE}{name}"] = means[name] - float(summary.means[name].iloc[-1])
    halves = summary.halves.iloc[: len(entries)]
    return Table(pd.DataFrame(shown, index=means.index), halves, available, differences)
