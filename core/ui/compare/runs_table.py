"""The table of the Compare page: its filter, its columns, and which runs are ticked."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis.entries import Entry, entry_of
from core.tracking.run import runs_of
from core.ui.common import reads, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare import tables
from core.ui.compare.curves import METRICS

CHOSEN_AT_FIRST = 8


@dataclass(frozen=True)
class Chosen:
    """What the table chooses.

    Attributes:
        entries: To be compared: all that are ticked, or the newest few.
        ticked: The ids of the ticked runs that are shown: only what a person sees may be deleted.
        baseline: The key of the entry that others are compared with; None where none was chosen.
    """

    entries: tuple[Entry, ...]
    ticked: tuple[str, ...]
    baseline: str | None = None


def table(runs: pd.DataFrame) -> Chosen:
    """Draw the table of runs with its filter and choice of columns.

    Ticks stand in the URL, and stay when a filter hides their rows.
    """
    everything = tables.runs_table(runs, reads.datasets_of_few_classes())
    keep, columns = _filter(everything)
    shown, ids = everything[keep][["run", *columns]], runs.loc[keep, "run_id"].tolist()
    known = set(runs["run_id"])
    say_unknown("runs", known, "Runs")
    ticked = [run_id for run_id in st.query_params.get_all("runs") if run_id in known]
    if shown.empty:
        st.info("No run matches this filter.", icon=":material/search_off:")
        return Chosen(_entries(runs, ticked), ())
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
        return Chosen(_entries(runs, [*chosen, *hidden]), tuple(chosen))
    newest = newest_with_curves(runs, ids)
    if len(newest) < len(ids):
        st.caption(f"No run is ticked: the curves are those of the newest {len(newest)} of {len(ids):,}.")
    return Chosen(_entries(runs, newest), ())


def _entries(runs: pd.DataFrame, run_ids: list[str]) -> tuple[Entry, ...]:
    """The runs of some ids, newest first."""
    found = runs_of(runs.loc[runs["run_id"].isin(run_ids), ["run_id", "name", "status"]])
    return tuple(entry_of(run, words.run_label(run)) for run in found)


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
