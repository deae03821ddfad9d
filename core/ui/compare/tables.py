"""Tables of runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis import health
from core.analysis.values import is_final, not_a_fraction
from core.tracking import schema
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
    """The frame of all runs as people read it: a column a setting and metric, by the names of the schema.

    Columns in which no run has a value are left out. few_classes: datasets of five classes or fewer, of
    which earlier versions logged a top-5 accuracy; it is always 1 and is left empty.
    """
    table = pd.DataFrame(
        {
            "run": [words.run_label(run) for _, run in runs[["name", "run_id"]].iterrows()],
            "state": [words.STATE_WORDS.get(status, (status,))[0] for status in runs["status"]],
            "remarks": [" ".join(one.sentence for one in found) or None for found in health.of_all(runs)],
            "submitted": runs["started"].to_numpy(),
            "last_epoch": runs["last_epoch"].to_numpy(),
        }
    )
    if f"tags.{schema.KEPT}" in runs:
        table["kept_epoch"] = pd.to_numeric(runs[f"tags.{schema.KEPT}"], errors="coerce").to_numpy()
    for column in runs.columns:
        kind, _, name = column.partition(".")
        if (kind == "metrics" and not name.startswith("system/")) or (kind == "params" and name != "name"):
            # Runs of other programs may have a setting called as a metric, or as one of our columns.
            values = runs[column]
            if kind == "metrics":
                values = values.where([is_final(name, status) for status in runs["status"]])
            if kind == "metrics" and name in _FRACTIONS:  # the remarks say what was logged instead
                values = values.where([not_a_fraction("", value) is None for value in values])
            if name == "test_top5_accuracy" and "params.data.name" in runs:
                values = values.where(~runs["params.data.name"].isin(few_classes))
            table[column if name in table else name] = values.to_numpy()
    return table.dropna(axis="columns", how="all")


def column_config(columns: list[str]) -> dict[str, Any]:
    """How Streamlit shows each column: accuracies as percentages, counts with separators."""
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
    """What a column is called in its head; settings keep their dotted names."""
    return _LABELS.get(column, column if "." in column else column.replace("_", " "))


def matches(table: pd.DataFrame, wanted: str) -> pd.Series:
    """Which rows hold every word of `wanted` in any of their columns; case does not count."""
    rows = pd.Series([" ".join(map(str, row)).lower() for row in table.to_numpy()], index=table.index)
    keep = pd.Series(True, index=table.index)
    for word in wanted.lower().split():
        keep &= rows.str.contains(word, regex=False)
    return keep
