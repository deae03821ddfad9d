"""The table of all runs: its columns, their titles and formats, and the filter."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis import health
from core.analysis.values import fractions, is_final
from core.tracking import schema
from core.tracking.tables import column
from core.ui.common import words

# What a table of runs shows unless somebody chooses otherwise, in this order.
DEFAULT_COLUMNS = (
    "state",
    "remarks",
    "model.name",
    "data.name",
    "test_accuracy",
    "best_val_accuracy",
    "test_calibration_error",
    "test_calibration_floor",
    "best_epoch",
    "val_accuracy",
    "last_epoch",
    "kept_epoch",
    "parameters",
    "train_seconds",
)
_FRACTIONS = ("accuracy", "val_accuracy", "best_val_accuracy", "test_accuracy", "test_top5_accuracy")
_LABELS = {
    "best_val_accuracy": "best val. accuracy",
    "val_accuracy": "last val. accuracy",
    "best_epoch": "best epoch",
    "last_epoch": "last epoch",
    "kept_epoch": "kept epoch",
    "test_accuracy": "test accuracy",
    "test_top5_accuracy": "test top-5",
    "test_ece": "ECE, equal-width bins (biased)",
    "test_calibration_error": "calibration error",
    "test_calibration_floor": "calibration noise floor",
    "train_seconds": "train seconds",
}


def runs_table(runs: pd.DataFrame, few_classes: Collection[str] = ()) -> pd.DataFrame:
    """Build the table of all runs: a column per setting and metric, by the names of the schema.

    Columns in which no run has a value are left out.

    Args:
        runs: As `frames.runs` gives them.
        few_classes: Datasets of five classes or fewer, of which earlier versions logged a top-5 accuracy; it
            is always 1 and is left empty.
    """
    table: dict[str, Any] = {
        "run": list(words.run_labels(runs).values()),
        "state": [words.STATE_WORDS.get(status, (status,))[0] for status in runs["status"]],
        "remarks": [" ".join(one.sentence for one in found) or None for found in health.of_all(runs)],
        "submitted": runs["started"],
        "last_epoch": runs["last_epoch"],
    }
    if f"tags.{schema.KEPT}" in runs:
        table["kept_epoch"] = pd.to_numeric(runs[f"tags.{schema.KEPT}"], errors="coerce")
    ended = ~runs["status"].isin(schema.ACTIVE)
    top5 = ~column(runs, "params.data.name", object).isin(few_classes)
    for name in runs.columns:
        kind, _, short = name.partition(".")
        if kind == "params" and short != "name":
            values = runs[name]
        elif kind == "metrics" and not short.startswith("system/"):
            values = runs[name] if is_final(short, schema.RUNNING) else runs[name].where(ended)
            if short in _FRACTIONS:  # the remarks say what was logged instead
                values = fractions(values)
            if short == "test_top5_accuracy":
                values = values.where(top5)
        else:
            continue
        # Runs of other programs may have a setting called as a metric, or as one of our columns.
        table[name if short in table else short] = values
    return pd.DataFrame(table).dropna(axis="columns", how="all")


def column_config(columns: list[str]) -> dict[str, Any]:
    """Return how Streamlit shows each column: accuracies as percentages, counts with separators."""
    config: dict[str, Any] = {"run": st.column_config.TextColumn(pinned=True, width="medium")}
    for name in columns:
        if name in _FRACTIONS:
            config[name] = st.column_config.NumberColumn(label(name), format="percent")
        elif name in ("parameters", "trainable_parameters", "macs", "model_bytes", "gpu_peak_bytes"):
            config[name] = st.column_config.NumberColumn(label(name), format="localized")
        elif name == "submitted":
            config[name] = st.column_config.DatetimeColumn(
                label(name), format="calendar"
            )  # it stays right while it stands
        elif name == "train_seconds":
            config[name] = st.column_config.NumberColumn(label(name), format="%.1f")
        elif name != "run":
            config[name] = st.column_config.Column(label(name))
    return config


def label(column: str) -> str:
    """Return the title of a column; settings keep their dotted names."""
    return _LABELS.get(column, column if "." in column else column.replace("_", " "))


def matches(table: pd.DataFrame, wanted: str) -> pd.Series:
    """Return which rows hold every word of `wanted` in any of their columns; case is ignored."""
    if not wanted.split():
        return pd.Series(True, index=table.index)
    if not wanted.split():
        return pd.Series(True, index=table.index)
    rows = pd.Series([" ".join(map(str, row)).lower() for row in table.to_numpy()], index=table.index)
    keep = pd.Series(True, index=table.index)
    for word in wanted.lower().split():
        keep &= rows.str.contains(word, regex=False)
    return keep
