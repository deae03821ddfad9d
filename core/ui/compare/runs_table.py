"""The table of the Compare page: which runs it shows, page by page, and which of them are ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import order, table_columns
from core.analysis.entries import Entry
from core.analysis.run_filter import FilterError
from core.analysis.table_columns import TableColumn
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.ui.common import reads, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare import tables, view
from core.ui.compare.curves import METRICS
from core.ui.compare.view import View

CHOSEN_AT_FIRST = 8
PAGE = 50  # rows
HEIGHT = 420  # pixels


@dataclass(frozen=True)
class Chosen:
    """What the table chooses.

    Attributes:
        entries: To be compared: all that are ticked, or the first few of the table.
        ticked: The ids of the ticked runs that are shown: only what a person sees may be deleted.
        baseline: The key of the entry that others are compared with; None where none was chosen.
    """

    entries: tuple[Entry, ...]
    ticked: tuple[str, ...]
    baseline: str | None = None


def table() -> Chosen:
    """Draw the table of runs with its filter, its order and its choice of columns.

    Of all runs only what filter and order need is read; all that is shown, of the runs of one page alone.
    Ticks stand in the address, and stay when a filter or another page hides their rows.
    """
    keys = reads.keys()
    available = table_columns.catalogue(keys)
    chosen_view = view.choose(available, keys["tags"])
    listed = _listed(chosen_view, available)
    known = set(_texts(reads.columns(), "run_id"))
    say_unknown("runs", known, "Runs")
    ticked = [run_id for run_id in st.query_params.get_all("runs") if run_id in known]
    if not listed:
        st.info("No run matches this filter.", icon=":material/search_off:")
        return Chosen(_entries(ticked), ())
    ids = _of_page(listed)
    rows = reads.rows(ids)
    ids = rows["run_id"].tolist()  # without one that was deleted since
    shown = _shown(rows, chosen_view, available, ticked, complete=len(ids) == len(listed))
    event = st.dataframe(
        tables.styled(shown, available, [reads.style_of(run) for run in _named(rows)]),
        hide_index=True,
        column_config=tables.column_config(available, list(shown.columns)),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(one) for one in ticked if one in ids]}},
        key=f"runs {hash(tuple(ids))}",  # rows are counted: other rows make another table
        height=min(38 + 35 * len(shown), HEIGHT),
        placeholder="–",
    )
    chosen = [ids[row] for row in event.selection.rows]
    hidden = [run_id for run_id in ticked if run_id not in ids]
    st.query_params["runs"] = [*chosen, *hidden]
    if chosen or hidden:
        return Chosen(_entries([*chosen, *hidden]), tuple(chosen))
    first = first_with_curves(rows)
    if len(first) < len(listed):
        st.caption(f"No run is ticked: the curves are those of the first {len(first)} of {len(listed):,}.")
    return Chosen(_entries(first), ())


def _listed(chosen: View, available: Mapping[str, TableColumn]) -> list[str]:
    """The ids of the runs that the filter keeps, in the order of the table."""
    wanted, by = chosen.filter, available[chosen.sort]
    keys = [] if wanted is None else wanted.keys()
    runs = reads.columns(schema.PINNED, *keys, *table_columns.keys_of([by], reads.keys()["tags"]))
    if wanted is not None:
        try:
            runs = runs[wanted.rows(runs)]
        except FilterError as error:
            view.say(error)
    places = order.ordered(table_columns.values(runs, by), by, chosen.reverse)
    if f"tags.{schema.PINNED}" in runs:
        pinned = runs[f"tags.{schema.PINNED}"].notna().to_numpy(dtype=bool)[places]
        places = np.concatenate([places[pinned], places[~pinned]])
    return runs["run_id"].to_numpy(dtype=object)[places].tolist()


def _of_page(ids: Sequence[str]) -> list[str]:
    """Draw the numbers of the pages where there are several; return the ids of the chosen page."""
    count = -(-len(ids) // PAGE)
    if count < 2:
        return list(ids)
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        page = st.pagination(count, key="page", bind=URL)
    start = (min(page, count) - 1) * PAGE
    right.caption(f"{start + 1:,} to {min(start + PAGE, len(ids)):,} of {len(ids):,} runs")
    return list(ids[start : start + PAGE])


def _shown(
    rows: pd.DataFrame,
    chosen: View,
    available: Mapping[str, TableColumn],
    ticked: Sequence[str],
    complete: bool,
) -> pd.DataFrame:
    """The table of one page.

    complete: whether these are all runs; then columns in which none has a value are left out.
    """
    few = reads.datasets_of_few_classes()
    names = [*chosen.columns]
    if chosen.differing:
        compared = reads.rows(list(ticked)) if ticked else rows
        names += [name for name in differing(compared) if name in available and name not in names]
    lines = [tables.line(reads.style_of(run)) for run in _named(rows)]
    labels = list(words.run_labels(rows).values())
    found = {name: table_columns.values(rows, available[name], few) for name in names}
    if complete:
        found = {name: values for name, values in found.items() if values.notna().any()}
    shown: dict[str, object] = {tables.COLOR: lines}
    shown |= {name: found.pop(name) for name in ("model.name", "data.name") if name in found}
    return pd.DataFrame(shown | {tables.RUN: labels} | found)


def differing(runs: pd.DataFrame) -> list[str]:
    """Return the settings in which some runs differ, by the names of their columns."""
    settings = [one for one in table_columns.catalogue_of(runs).values() if one.source.startswith("params.")]
    return [one.name for one in settings if runs[one.source].fillna("").nunique() > 1]


def _named(rows: pd.DataFrame) -> list[Run]:
    needed = [name for name in ("run_id", "name", "status", f"tags.{schema.NUMBER}") if name in rows]
    return runs_of(rows[needed])


def _entries(run_ids: Sequence[str]) -> tuple[Entry, ...]:
    """The runs of some ids as entries, in their order."""
    runs = reads.columns()
    names = dict(zip(_texts(runs, "run_id"), _texts(runs, "name"), strict=True))
    return tuple(
        Entry(run_id, words.label_of(run_id, names[run_id]), (run_id,))
        for run_id in run_ids
        if run_id in names
    )


def _texts(runs: pd.DataFrame, column: str) -> list[str]:
    """A column without pandas' own iteration, which takes microseconds per string."""
    return runs[column].to_numpy(dtype=object).tolist()


def first_with_curves(rows: pd.DataFrame) -> list[str]:
    """Return the first few of some runs that have logged an epoch: others have no curves."""
    logged = [f"metrics.{metric}" for metric in METRICS if f"metrics.{metric}" in rows]
    begun = rows.loc[rows[logged].notna().any(axis=1), "run_id"]
    return begun.head(CHOSEN_AT_FIRST).tolist()
