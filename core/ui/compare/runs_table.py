"""The table of the Compare page: the runs and groups that it shows, page by page, and which are ticked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import streamlit as st

from core.analysis import export, grouping, shown_table, table_columns
from core.analysis.differences import differing_columns
from core.analysis.entries import Entry, run_ids_of
from core.analysis.export import Table
from core.analysis.table_columns import TableColumn
from core.analysis.titles import label
from core.figures.style import LineStyle
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.ui.common import stored_datasets, stored_runs, words
from core.ui.common.actions import all_archived
from core.ui.common.choose import NAMED, say_unknown
from core.ui.common.fields import URL
from core.ui.common.kept import kept
from core.ui.compare import cells, stars, tables, view
from core.ui.compare.curves import METRICS, styles_of
from core.ui.compare.listing import Listing, listing
from core.ui.compare.view import View
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
        mark: Marks the best in a table that is shown without marks yet, and draws the page again.
    """

    entries: tuple[Entry, ...]
    ticked: tuple[Entry, ...]
    baseline: str | None = None
    mark: Callable[[], None] | None = None


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
    baseline = _baseline(listed, ticked)
    everything = [*entries, *ticked, *([baseline] if baseline is not None else [])]
    runs = _members(everything, chosen_view, available)
    complete = len(entries) == len(listed)
    mark = partial(stars.mark, listed, entries) if stars.come_later(listed) else None
    marks = {} if mark is not None else stars.stars(listed, entries)
    shown = _table(entries, runs, chosen_view, available, ticked, baseline, marks, drop_empty=complete)
    shown_keys = [entry.key for entry in entries]
    ticked_keys = [entry.key for entry in ticked]
    styles, config = _styles(entries, runs), tables.column_config(available, list(shown.rows), stars.HELP)
    height = min(38 + 35 * len(entries), HEIGHT)
    if cells.wanted():
        cells.edit_cells(entries, shown, styles, config, height)
        chosen = [entry for entry in entries if entry.key in ticked_keys]
    else:
        event = st.dataframe(
            tables.styled(shown, styles),
            hide_index=True,
            column_config=config,
            on_select="rerun",
            selection_mode="multi-row",
            selection_default={
                "selection": {"rows": [place for place, key in enumerate(shown_keys) if key in ticked_keys]}
            },
            key=f"runs {hash(tuple(shown_keys))}",  # rows are counted: other rows make another table
            height=height,
            placeholder="–",
        )
        chosen = [entries[row] for row in event.selection.rows if row < len(entries)]
    stars.say_order(marks, entries)
    with st.container(horizontal=True, vertical_alignment="center"):
        _export(listed, ticked, chosen_view, available, baseline)
        views()
        if len(ticked) == 1 and not ticked[0].is_group:
            edit(stored_runs.of_ids([ticked[0].key])[0])
        cells.toggle()
    hidden = [entry for entry in ticked if entry.key not in shown_keys]
    st.query_params["runs"] = [entry.key for entry in (*chosen, *hidden)]
    key = None if baseline is None else baseline.key
    if chosen or hidden:
        return Chosen((*chosen, *hidden), tuple(chosen), key, mark)
    first = _first(entries, runs)
    if len(first) < len(listed):
        what = "row" if chosen_view.group else "run"
        st.caption(f"No {what} is ticked: the curves are those of the first {len(first)} of {len(listed):,}.")
    if not chosen_view.group and grouping.has_repeats(stored_runs.columns(schema.PARENT, schema.NUMBER)):
        st.button(
            "Group the repeats over seeds and folds",
            icon=":material/stacks:",
            type="tertiary",
            on_click=_group_repeats,
        )
    return Chosen(tuple(first), (), key, mark)


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


def _export(
    listed: Listing,
    ticked: Sequence[Entry],
    chosen: View,
    available: Mapping[str, TableColumn],
    baseline: Entry | None,
) -> None:
    """Draw the menu that writes the ticked rows, else all rows on all pages, to a file."""

    def text(form: str) -> str:
        entries = list(ticked) or [listed.entry(row) for row in listed.rows]
        runs = _members([*entries, *([baseline] if baseline is not None else [])], chosen, available)
        marks = stars.stars(listed, entries)
        found = _table(entries, runs, chosen, available, ticked, baseline, marks, drop_empty=True)
        return export.write(replace(found, titles={name: label(name) for name in found.rows}), form)

    what = f"{len(ticked):,} ticked" if ticked else f"all {len(listed):,}"
    with st.popover("Export", icon=":material/download:"):
        st.caption(f"The {what} row{'' if len(ticked or listed.rows) == 1 else 's'}, with the columns shown.")
        for form, name in export.FORMATS.items():
            st.download_button(
                name,
                partial(text, form),
                file_name=f"runs.{export.ENDINGS[form]}",
                mime="text/plain" if form in ("markdown", "latex") else f"text/{form}",
                on_click="ignore",
                key=f"export-{form}",
                width="stretch",
            )


def _members(entries: Sequence[Entry], chosen: View, available: Mapping[str, TableColumn]) -> pd.DataFrame:
    """The runs of some rows with what is shown of them."""
    run_ids = run_ids_of(entries)
    if len(run_ids) <= stored_runs.FEW:
        return stored_runs.rows(run_ids)
    names = [available[name] for name in chosen.columns]
    logged = [metric for metric in METRICS if metric in available]
    keys = table_columns.keys_of(names, stored_runs.keys()["tags"])
    return stored_runs.some(run_ids, schema.NUMBER, *logged, *keys)


def _table(
    entries: Sequence[Entry],
    runs: pd.DataFrame,
    chosen: View,
    available: Mapping[str, TableColumn],
    ticked: Sequence[Entry],
    baseline: Entry | None,
    marks: Mapping[str, str],
    drop_empty: bool,
) -> Table:
    names = [*chosen.columns]
    if chosen.differing:
        several = ticked if len(run_ids_of(ticked)) > 1 else entries
        compared = runs[runs["run_id"].isin(run_ids_of(several))]
        found = differing_columns(compared)
        names += [name for name in found if name in available and name not in names]
    few, band = stored_datasets.datasets_of_few_classes(), st.session_state.get("band", "interval")

    def build() -> Table:
        return shown_table.build(
            entries,
            runs,
            names,
            available,
            few_classes=few,
            band=band,
            baseline=baseline,
            marks=marks,
            drop_empty=drop_empty,
        )

    key = (tuple(entries), tuple(names), tuple(few), band, baseline, drop_empty, tuple(marks.items()))
    return kept(build, "table of runs", stored_runs.version(), *key)


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
