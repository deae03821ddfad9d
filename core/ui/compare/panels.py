"""The Compare page: the table of runs, the curves of the chosen ones, and repeated experiments."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis import basis, losses
from core.analysis.repeats import repeats
from core.figures import learning_curves
from core.tracking import schema
from core.tracking.run import runs_of
from core.ui.common import guard, reads, words
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare import tables

CHOSEN_AT_FIRST = 8
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


def table(runs: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Draw the table of runs with its filter and choice of columns.

    Ticks stand in the URL, and stay when a filter hides their rows.

    Returns:
        The ids of the runs to compare: all that are ticked, or the newest few. And the ids of the ticked rows
        that are shown: only what a person sees may be deleted.
    """
    everything = tables.runs_table(runs, reads.datasets_of_few_classes())
    keep, columns = _filter(everything)
    shown, ids = everything[keep][["run", *columns]], runs.loc[keep, "run_id"].tolist()
    known = set(runs["run_id"])
    say_unknown("runs", known, "Runs")
    ticked = [run_id for run_id in st.query_params.get_all("runs") if run_id in known]
    if shown.empty:
        st.info("No run matches this filter.", icon=":material/search_off:")
        return ticked, []
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config=tables.column_config(list(shown.columns)),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(one) for one in ticked if one in ids]}},
        key=f"runs {hash(tuple(ids))}",  # rows are counted: other rows make another table
        height=min(38 + 35 * len(shown), 420),
        placeholder="–",
    )
    chosen = [ids[row] for row in event.selection.rows]
    hidden = [run_id for run_id in ticked if run_id not in ids]
    st.query_params["runs"] = [*chosen, *hidden]
    if chosen or hidden:
        return [*chosen, *hidden], chosen
    newest = newest_with_curves(runs, ids)
    if len(newest) < len(ids):
        st.caption(f"No run is ticked: the curves are those of the newest {len(newest)} of {len(ids):,}.")
    return newest, chosen


def _filter(everything: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Draw the filter and the choice of columns; return which rows are shown, and the columns."""
    filter_box, columns_box = st.columns([1, 2])
    wanted = filter_box.text_input(
        "Filter", key="filter", bind=URL, placeholder="text in any column", icon=":material/search:"
    )
    available = [column for column in everything.columns if column != "run"]
    columns = columns_box.multiselect(
        "Columns",
        available,
        default=[column for column in tables.DEFAULT_COLUMNS if column in available],
        format_func=tables.label,
        key="columns",
        bind=URL,
    )
    return tables.matches(everything, wanted or ""), columns


def newest_with_curves(runs: pd.DataFrame, ids: list[str]) -> list[str]:
    """Return the first few of `ids` whose runs have logged an epoch: others have no curves."""
    logged = [f"metrics.{metric}" for metric in METRICS if f"metrics.{metric}" in runs]
    begun = set(runs.loc[runs[logged].notna().any(axis=1), "run_id"])
    return [run_id for run_id in ids if run_id in begun][:CHOSEN_AT_FIRST]


def curves(runs: pd.DataFrame, run_ids: list[str]) -> None:
    """Draw the curves of some runs, one chart per metric; renewed while one of them trains."""
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


def groups(runs: pd.DataFrame) -> None:
    """Draw a table of the experiments repeated over seeds and folds; nothing where there are none."""
    found = repeats(runs)
    if found.empty:
        return
    st.subheader("Repeated over seeds and folds")
    shown = {
        "experiment": found["name"],
        "finished": [f"{row.finished} of {row.runs}" for row in found.itertuples()],
    }
    for score, label in (("val_accuracy", "val accuracy"), ("test_accuracy", "test accuracy")):
        pairs = zip(found[score], found[f"{score}_std"], strict=True)
        shown[label] = [words.spread(mean, deviation) for mean, deviation in pairs]
    shown["group"] = found["group"].str[:8]
    st.dataframe(pd.DataFrame(shown), hide_index=True, height="content" if len(found) < 10 else 400)
    st.caption("Mean and sample standard deviation of the runs that finished.")
