"""How the table of runs looks: titles, digits, colours."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from core.analysis import table_columns
from core.analysis.cells import ABSENT
from core.analysis.export import Table
from core.analysis.shown_table import COUNT, DIFFERENCE, MARK, RUN
from core.analysis.table_columns import TableColumn
from core.analysis.titles import label
from core.figures.style import LineStyle
from core.ui.common import words

COLOR = "colour"  # the first column, the line of the curves
BETTER, WORSE = "#0F8A5F", "#D5482C"  # readable on light and dark pages
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


def styled(table: Table, styles: Sequence[LineStyle]) -> Styler:
    """Return a table as it is shown: all numbers of a column with the same digits, each row with its colour.

    styles: Of the rows, in their order.
    """
    shown = table.rows.copy()
    shown.insert(0, COLOR, [line(style) for style in styles])
    formats: dict[str, Any] = {}
    for name in table.rows:
        if (digits := table.digits(name)) is not None:
            formats[name] = digits.signed if name in table.differences else digits.text
    colors = [f"color: {style.color}; font-weight: bold" for style in styles]
    look = shown.style.format(formats, na_rep=ABSENT).apply(lambda _: colors, subset=[COLOR])
    for name, of in table.differences.items():
        good = table.columns[of].more_is_better
        look = look.apply(lambda found, good=good: [_color(one, good) for one in found], subset=[name])
    for name in table.halves:
        digits = table.digits(name) if name in formats else None
        for row in table.halves.index[table.halves[name].notna()] if digits is not None else ():
            assert digits is not None
            half = float(table.halves.loc[row, name])
            look = look.format(partial(digits.interval, half=half), subset=([row], [name]))
    return look


def _color(difference: float, more_is_better: bool | None) -> str:
    """Green where a difference is for the better, red where it is for the worse."""
    if more_is_better is None or math.isnan(difference) or not difference:
        return ""
    return f"color: {BETTER if (difference > 0) == more_is_better else WORSE}"


def column_config(
    columns: Mapping[str, TableColumn], shown: Collection[str], mark_help: str
) -> dict[str, Any]:
    """Return titles and helps of the columns that are shown. mark_help: what the marks of the best mean."""
    config: dict[str, Any] = {
        COLOR: st.column_config.TextColumn("", pinned=True, width=40, help="The line of its curves."),
        MARK: st.column_config.TextColumn("", width=34, help=mark_help),
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
            config[name] = st.column_config.Column(label(name), help="Difference from the baseline.")
    return config


def help_of(column: TableColumn) -> str:
    """Return what stands in the help of a column: the name by which filters and addresses know it."""
    said = _HELP.get(column.name, "")
    return f"{said} `{column.name}`".strip()
