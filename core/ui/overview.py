"""The tables of the Overview."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.tracking import schema
from core.ui import words
from core.ui.live import run_link, state_badge

LATEST = 8


def best_runs(runs: pd.DataFrame) -> None:
    """For every dataset the finished run with the best validation accuracy: the test part chooses nothing."""
    st.subheader("Best run of each dataset")
    if "metrics.best_val_accuracy" not in runs or "params.data.name" not in runs:
        st.caption("No run has finished yet.")
        return
    compared = runs[[not words.is_range_test(run) for _, run in runs.iterrows()]]
    finished = compared[
        (compared["status"] == schema.FINISHED) & compared["metrics.best_val_accuracy"].notna()
    ]
    if finished.empty:
        st.caption("No run has finished yet.")
        return
    st.caption("Chosen by validation accuracy; the test accuracy beside it chose nothing.")
    best = finished.sort_values("metrics.best_val_accuracy", ascending=False).groupby("params.data.name")
    columns = st.columns(2)
    for position, (dataset, group) in enumerate(best):
        run = group.iloc[0]
        with columns[position % 2], st.container(border=True):
            st.markdown(f"**{words.plain(dataset)}**")
            validation, test = st.columns(2)
            validation.metric("validation", words.percent(run["metrics.best_val_accuracy"]))
            test.metric("test", words.percent(run.get("metrics.test_accuracy")))
            run_link(run)


def latest_runs(runs: pd.DataFrame) -> None:
    """The newest runs, with what became of them."""
    st.subheader("Latest runs")
    for _, run in runs.head(LATEST).iterrows():
        name, state, accuracy, when = st.columns([4, 2, 3, 2], vertical_alignment="center")
        with name:
            run_link(run)
        with state:
            state_badge(run["status"])
        accuracy.markdown(f"test accuracy {words.percent(run.get('metrics.test_accuracy'))}")
        when.caption(words.ago(run["started"]))
