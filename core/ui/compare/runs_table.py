"""The table of the Compare page: the runs and groups that it shows, page by page, and which are ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis import grouping, table_columns
from core.analysis.entries import Entry
from core.figures.style import LineStyle
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.ui.common import stored_runs, words
from core.ui.common.actions import all_archived
from core.ui.common.choose import NAMED, say_unknown
from core.ui.common.fields import URL
from core.ui.compare import cells, stars, tables, view
from core.ui.compare.curves import METRICS, styles_of
from core.ui.compare.export_menu import export_menu
from core.ui.compare.listing import Listing, listing
from core.ui.compare.rows import Rows
from core.ui.compare.views import views
from core.ui.run.edit import edit

CHOSEN_AT_FIRST = 8
PAGE = 50  # rows
HEIGHT = 420  # pixels
BASELINE = 232  # pixels; on a phone the tools of the table below have room beside it


@dataclass(frozen=True)
class Chosen:
    """What the table chooses.

    Attributes:
        entries: To be compared: all that are ticked, or the first few of the table.
        ticked: The ticked rows that are shown: only what a person sees may be archived or deleted.
        baseline: The key of the entry that others are compared with; None where none was chosen.
    """

    entries: tuple[Entry, ...]
    ticked: tuple[Entry, ...]
    baseline: str | None = None


def table() -> Chosen:
    """Draw the table of runs and groups with its filter, order, grouping and choice of columns.

    Of all runs only what filter, order and grouping need is read; all that is shown, of the rows of one page.
    Ticks stand in the address, and stay when a filter or another page hides their rows.
    """
    keys = stored_runs.keys()
    available = table_columns.catalogue(keys)
    chosen_view = view.choose(available, keys["tags"])
    listed = listing(chosen_view, available)
    wanted = st.query_params.get_all("runs")
    if wanted:
        _say_missing(listed)
    ticked = listed.by_key(wanted)
    if not len(listed):
        if len(listed.runs):
            st.info("No run matches this filter.", icon=":material/search_off:")
        else:
            all_archived(_show_archived)
        return Chosen(tuple(ticked), ())
    entries = _of_page(listed)
    rows = Rows(listed, chosen_view, available, tuple(ticked), _baseline(listed, ticked))
    follow = stars.follow(listed, entries)
    marks = {} if follow else stars.stars(listed, entries)
    runs = rows.runs(entries)
    chosen = _drawn(rows, entries, runs, marks)
    if follow:
        stars.draw_again_with_marks(listed.by)
    stars.say_order(marks, entries)
    _tools(rows)
    return _chosen(rows, entries, chosen, runs)


def _drawn(rows: Rows, entries: Sequence[Entry], runs: pd.DataFrame, marks: Mapping[str, str]) -> list[Entry]:
    """Draw the rows of a page; return those that are ticked."""
    shown = rows.table(entries, runs, marks, drop_empty=len(entries) == len(rows.listed))
    ticked = {entry.key for entry in rows.ticked}
    styles = _styles(entries, runs)
    config = tables.column_config(rows.available, list(shown.rows), stars.HELP)
    height = min(38 + 35 * len(entries), HEIGHT)
    if cells.wanted():
        cells.edit_cells(entries, shown, styles, config, height)
        return [entry for entry in entries if entry.key in ticked]
    event = st.dataframe(
        tables.styled(shown, styles),
        hide_index=True,
        column_config=config,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [place for place, one in enumerate(entries) if one.key in ticked]}
        },
        # rows are counted: others make another table
        key=f"runs {hash(tuple(entry.key for entry in entries))}",
        height=height,
        placeholder="–",
    )
    return [entries[row] for row in event.selection.rows if row < len(entries)]


def _tools(rows: Rows) -> None:
    """Draw what can be done with the table and with a ticked run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        export_menu(rows)
        views()
        if len(rows.ticked) == 1 and not rows.ticked[0].is_group:
            edit(stored_runs.of_ids([rows.ticked[0].key])[0])
        cells.toggle()


def _chosen(rows: Rows, entries: Sequence[Entry], chosen: Sequence[Entry], runs: pd.DataFrame) -> Chosen:
    """Write the ticks into the address; where there are none, the first few of the table are compared.

    Args:
        entries, runs: Of the page. chosen: The rows of the page that are ticked.
    """
    shown = {entry.key for entry in entries}
    everything = (*chosen, *(entry for entry in rows.ticked if entry.key not in shown))
    st.query_params["runs"] = [entry.key for entry in everything]
    key = None if rows.baseline is None else rows.baseline.key
    if everything:
        return Chosen(everything, tuple(chosen), key)
    first, grouped = _first(entries, runs), bool(rows.view.group)
    if len(first) < len(rows.listed):
        what = "row" if grouped else "run"
        st.caption(
            f"No {what} is ticked: the curves are those of the first {len(first)} of {len(rows.listed):,}."
        )
    if not grouped and grouping.has_repeats(stored_runs.columns(schema.PARENT, schema.NUMBER, schema.SWEEP)):
        st.button(
            "Group the repeats over seeds and folds",
            icon=":material/stacks:",
            type="tertiary",
            on_click=_group_repeats,
        )
    return Chosen(tuple(first), (), key)


def _say_missing(listed: Listing) -> None:
    """Say which runs of the address are not listed, and offer the archived ones."""
    wanted = {key.removeprefix("group-") for key in st.query_params.get_all("runs")}
    missing = wanted.difference(listed.ids.tolist())
    every = stored_runs.columns(archived=True) if missing else listed.runs
    away = dict(every.loc[every["run_id"].isin(missing), ["run_id", "name"]].to_numpy())
    known = (wanted - missing) | away.keys()
    say_unknown("runs", known | {f"group-{run_id}" for run_id in known}, "Runs")
    if away and len(listed.runs):  # where all are archived, that is said
        names = ", ".join(words.plain(name) for name in [*away.values()][:NAMED])
        more = f" and {len(away) - NAMED:,} more" if len(away) > NAMED else ""
        verb, it = ("is", "it") if len(away) == 1 else ("are", "them")
        st.info(f"{names}{more} {verb} archived: no comparison counts {it}.", icon=":material/archive:")
        st.button("Show archived", key="show archived", icon=":material/visibility:", on_click=_show_archived)


def _show_archived() -> None:
    st.session_state["archived"] = True


def _group_repeats() -> None:
    st.session_state["group"] = [grouping.REPEATS]


def _of_page(listed: Listing) -> list[Entry]:
    """Draw the numbers of the pages where there are several; return the rows of the chosen page."""
    count = -(-len(listed) // PAGE)
    if count < 2:
        return [listed.entry(row) for row in listed.rows]
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        page = st.pagination(count, key="table_page", bind=URL)
    start = (min(page, count) - 1) * PAGE
    right.caption(f"{start + 1:,} to {min(start + PAGE, len(listed)):,} of {len(listed):,}")
    return [listed.entry(row) for row in listed.rows[start : start + PAGE]]


def _baseline(listed: Listing, ticked: Sequence[Entry]) -> Entry | None:
    """Draw the choice of what the others are compared with, where something is ticked.

    A run that is in a group now stands for the group, as among the ticks.
    """
    if not ticked:
        return None
    names = {"": "none"} | {entry.key: entry.name for entry in ticked}
    wanted, start = st.query_params.get("baseline", ""), ""
    for entry in listed.by_key([wanted] if wanted else []):
        if entry.key in names:
            start = entry.key
        else:
            st.info(f"{words.plain(entry.name)} is not ticked, so it is no baseline.", icon=":material/info:")
            wanted = ""
    if wanted and not start:
        say_unknown("baseline", names, "Baseline")
    chosen = st.selectbox(
        "Baseline",
        list(names),
        index=list(names).index(start),
        format_func=names.__getitem__,
        key=f"baseline {hash((start, *names))}",
        help="Every result and cost gets a column with its difference from this row.",
        width=BASELINE,
    )
    if chosen:
        st.query_params["baseline"] = chosen
    else:
        st.query_params.pop("baseline", None)
    return next((entry for entry in ticked if entry.key == chosen), None)


def _styles(entries: Sequence[Entry], runs: pd.DataFrame) -> list[LineStyle]:
    named: dict[str, Run] = {}
    needed = [name for name in ("run_id", "name", "status", f"tags.{schema.NUMBER}") if name in runs]
    for run in runs_of(runs[needed]):
        named[run.run_id] = run
    found = styles_of(entries, named)
    return [found[entry.key] for entry in entries]


def _first(entries: Sequence[Entry], runs: pd.DataFrame) -> list[Entry]:
    begun = set(with_curves(runs))
    return [entry for entry in entries if begun & set(entry.run_ids)][:CHOSEN_AT_FIRST]


def with_curves(runs: pd.DataFrame) -> list[str]:
    """Return the ids of the runs that have logged an epoch: others have no curves."""
    logged = [f"metrics.{metric}" for metric in METRICS if f"metrics.{metric}" in runs]
    return runs.loc[runs[logged].notna().any(axis=1), "run_id"].tolist()
