"""How the table of runs looks: titles, digits, colours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from core.analysis import table_columns
from core.analysis.best_marks import BEST, EQUAL
from core.analysis.cells import ABSENT, digits_of
from core.analysis.table_columns import TableColumn
from core.figures.style import LineStyle
from core.ui.common import words

COLOR, MARK, RUN, COUNT = "colour", "best", "run", "n"  # columns beside those of the catalogue
DIFFERENCE = "Δ "  # before the name of a column
BETTER, WORSE = "#0F8A5F", "#D5482C"  # readable on light and dark pages
MARK_HELP = (
    f"{BEST} the best validation accuracy on its images; {EQUAL} their number does not tell it from the best."
)
# What a table of runs shows unless somebody chooses otherwise, in this order.
DEFAULT_COLUMNS = (
    "model.name",
    "data.name",
    "state",
    "remarks",
    "validation",
    "test_accuracy",
    "test_calibration_error",
    "test_calibration_floor",
    "best_epoch",
    "last_epoch",
    "kept_epoch",
    "parameters",
    "train_seconds",
)
_LABELS = {
    "model.name": "model",
    "data.name": "dataset",
    "validation": "validation accuracy",
    "best_val_accuracy": "best val. accuracy",
    "val_accuracy": "last val. accuracy",
    "accuracy": "last training accuracy",
    "best_epoch": "best epoch",
    "last_epoch": "last epoch",
    "kept_epoch": "kept epoch",
    "test_accuracy": "test accuracy",
    "test_top5_accuracy": "test top-5",
    "test_ece": "ECE, equal-width bins (biased)",
    "test_calibration_error": "calibration error",
    "test_calibration_floor": "calibration noise floor",
    "train_seconds": "train seconds",
    "macs": "MACs",
}
_HELP = {
    "validation": "On the validation set, of the weights that the run kept.",
    "kept_epoch": "The epoch whose weights the saved model has.",
    "submitted": "When the run was launched.",
    "remarks": "What is wrong with the run, or with its scores.",
}
# Lines as charts draw them: solid, dash, dot, dashdot, and those of runs of other programs.
_LINES = {"solid": "━━", "dash": "╍╍", "dot": "┉┉", "dashdot": "━·━", "longdash": "━ ━", "longdashdot": "━ ·"}


def runs_table(runs: pd.DataFrame, few_classes: Collection[str] = ()) -> pd.DataFrame:
    """Build the table of some runs: a column per setting and metric, without those in which none has a value.

    Args:
        runs: As `frames.runs` gives them.
        few_classes: As in `table_columns.values`.
    """
    table = {RUN: pd.Series(list(words.run_labels(runs).values()), index=runs.index, dtype="str")}
    for name, one in table_columns.catalogue_of(runs).items():
        table[name] = table_columns.values(runs, one, few_classes)
    return pd.DataFrame(table).dropna(axis="columns", how="all")


def line(style: LineStyle) -> str:
    """Return a short line with the dash of a run's curves."""
    return _LINES.get(style.dash, _LINES["solid"])


def styled(
    table: pd.DataFrame,
    columns: Mapping[str, TableColumn],
    styles: Sequence[LineStyle],
    halves: pd.DataFrame | None = None,
) -> Styler:
    """Return a table as it is shown: all numbers of a column with the same digits, each row with its colour.

    Args:
        table: One row per run or group; numbers as numbers. A column `Δ name` has differences.
        columns: Those of the catalogue, by name.
        styles: Of the rows, in their order.
        halves: What is written after ± in some cells, by the names of columns.
    """
    formats: dict[str, Any] = {}
    for name in table.columns:
        of = columns.get(name.removeprefix(DIFFERENCE))
        if of is not None and pd.api.types.is_numeric_dtype(table[name]):
            digits = digits_of(of, table[name])
            formats[name] = digits.signed if name.startswith(DIFFERENCE) else digits.text
    colors = [f"color: {style.color}; font-weight: bold" for style in styles]
    look = table.style.format(formats, na_rep=ABSENT).apply(lambda _: colors, subset=[COLOR])
    for name in table.columns:
        if name.startswith(DIFFERENCE):
            good = columns[name.removeprefix(DIFFERENCE)].more_is_better
            look = look.apply(lambda found, good=good: [_color(one, good) for one in found], subset=[name])
    if halves is not None:
        for name in [one for one in halves.columns if one in formats]:
            digits = digits_of(columns[name], table[name])
            for row in table.index[halves[name].notna()]:
                half = float(halves.loc[row, name])
                look = look.format(partial(digits.interval, half=half), subset=([row], [name]))
    return look


def _color(difference: float, more_is_better: bool | None) -> str:
    """Green where a difference is for the better, red where it is for the worse."""
    if more_is_better is None or math.isnan(difference) or not difference:
        return ""
    return f"color: {BETTER if (difference > 0) == more_is_better else WORSE}"


def with_differences(table: pd.DataFrame, columns: Mapping[str, TableColumn], row: pd.Series) -> pd.DataFrame:
    """Put beside every number of which one is better than another its difference from that of a baseline.

    Args:
        row: The numbers of the baseline, by the names of columns.
    """
    found: dict[str, pd.Series] = {}
    for name in table.columns:
        found[name] = table[name]
        of = columns.get(name)
        numbers = pd.api.types.is_numeric_dtype(table[name])
        if of is not None and of.more_is_better is not None and numbers and name in row:
            found[f"{DIFFERENCE}{name}"] = table[name] - float(row[name])
    return pd.DataFrame(found)


def column_config(columns: Mapping[str, TableColumn], shown: Collection[str]) -> dict[str, Any]:
    """Return titles and helps of the columns that are shown."""
    config: dict[str, Any] = {
        COLOR: st.column_config.TextColumn("", pinned=True, width=40, help="The line of its curves."),
        MARK: st.column_config.TextColumn("", width=34, help=MARK_HELP),
        RUN: st.column_config.TextColumn("run", width="medium"),
        COUNT: st.column_config.NumberColumn("n", width=40, help="Finished runs that the means are of."),
    }
    for name in shown:
        if name in columns:
            title, said = label(name), help_of(columns[name])
            if name == "submitted":  # it stays right while it stands
                config[name] = st.column_config.DatetimeColumn(title, format="calendar", help=said)
            else:
                config[name] = st.column_config.Column(title, help=said)
        elif name.startswith(DIFFERENCE):
            title = label(name.removeprefix(DIFFERENCE))
            config[name] = st.column_config.Column(f"Δ {title}", help="Difference from the baseline.")
    return config


def label(column: str) -> str:
    """Return the title of a column: the end of a setting's dotted name."""
    if column in _LABELS:
        return _LABELS[column]
    first, _, rest = column.partition(".")
    if rest and first in ("params", "metrics"):
        return column
    short = rest.removeprefix("options.") if rest else column
    if short in ("name", "") or first in ("augmentation", "schedule") or short == "enabled":
        short = column.replace(".", " ").removesuffix(" name")
    return short.replace("_", " ").replace(".", " ")


def labels_of(columns: Collection[str]) -> dict[str, str]:
    """Return the title of each column, its name where two would have the same: addresses hold them."""
    titles = {name: label(name) for name in columns}
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else name for name, title in titles.items()}


def help_of(column: TableColumn) -> str:
    """Return what stands in the help of a column: the name by which filters and addresses know it."""
    said = _HELP.get(column.name, "")
    return f"{said} `{column.name}`".strip()
