"""The learning curves of the chosen runs, overlaid."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.analysis import basis, losses
from core.analysis.entries import Entry, run_ids_of
from core.figures import learning_curves
from core.tracking import schema
from core.tracking.run import runs_of
from core.ui.common import guard, reads, words
from core.ui.common.chart import chart
from core.ui.common.fields import URL

MAX_CURVES = 30  # past that a chart can neither be read nor redrawn quickly
METRICS = (
    "val_accuracy",
    "accuracy",
    "val_loss",
    "loss",
    "learning_rate",
    "images_per_second",
    "epoch_seconds",
)


def curves(runs: pd.DataFrame, entries: Sequence[Entry]) -> None:
    """Draw the curves of some runs, one chart per metric; renewed while one of them trains."""
    run_ids = run_ids_of(entries)
    chosen = runs[runs["run_id"].isin(run_ids)].head(MAX_CURVES)
    if chosen.empty:
        return
    if len(run_ids) > MAX_CURVES:
        st.caption(f"The newest {MAX_CURVES} of the {len(run_ids)} chosen runs.")
    if reasons := basis.differences(chosen):
        st.caption(
            ":material/info: Validation accuracy and loss do not rank these runs against each other. "
            + words.plain(" ".join(reasons))
        )
    shown = st.pills(
        "Curves",
        METRICS,
        selection_mode="multi",
        default=("val_accuracy", "val_loss"),
        format_func=lambda metric: learning_curves.LABELS[metric],
        key="metrics",
        bind=URL,
    )
    alive = chosen["status"].isin(schema.ACTIVE).any()
    guard.fragment(2.0 if alive else None)(_draw)(chosen["run_id"].tolist(), list(shown or []))


def _draw(run_ids: list[str], metrics: list[str]) -> None:
    runs = reads.runs()
    chosen = runs_of(runs[runs["run_id"].isin(run_ids)])
    names = {run.run_id: words.run_label(run) for run in chosen}
    if {"loss", "val_loss"} & set(metrics):
        for run in chosen:
            if (note := losses.sentence(run)) is not None:
                st.caption(f":material/info: {words.plain(names[run.run_id])}: {note}")
    styles = {run.run_id: reads.style_of(run) for run in chosen}
    history = reads.history(list(names))
    columns = st.columns(2)
    for position, metric in enumerate(metrics):
        figure = learning_curves.draw(learning_curves.collect(history, names, metric), styles, metric)
        with columns[position % 2]:
            chart(figure, f"curve-{metric}")
