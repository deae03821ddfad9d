"""The table of the Compare page: the runs and groups that it shows, page by page, and which are ticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis import grouping, table_columns
from core.analysis.entries import Entry, run_ids_of
from core.analysis.grouping import Summary
from core.analysis.table_columns import TableColumn
from core.figures.style import LineStyle
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.ui.common import reads
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare import tables, view
from core.ui.compare.curves import METRICS, styles_of
from core.ui.compare.listing import Listing, listing, marks
from core.ui.compare.view import View

CHOSEN_AT_FIRST = 8
PAGE = 50  # rows
HEIGHT = 420  # pixels
FEW = 500  # runs; of more, whole columns are read


@dataclass(frozen=True)
class Chosen:
    """What the table chooses.

    Attributes:
        entries: To be compared: all that are ticked, or the first few of the table.
        ticked: The ids of the ticked single runs that are shown: only what a person sees may be deleted.
        baseline: The key of the entry that others are compared with; None where none was chosen.
    """

    entries: tuple[Entry, ...]
    ticked: tuple[str, ...]
    baseline: str | None = None


def table() -> Chosen:
    """Draw the table of runs and groups with its filter, order, grouping and choice of columns.

    Of all runs only what filter, order and grouping need is read; all that is shown, of the rows of one page.
    Ticks stand in the address, and stay when a filter or another page hides their rows.
    """
    keys = reads.keys()
    available = table_columns.catalogue(keys)
    chosen_view = view.choose(available, keys["tags"])
    listed = listing(chosen_view, available)
    known = set(listed.runs["run_id"].to_numpy(dtype=object).tolist())
    say_unknown("runs", known | {f"group-{run_id}" for run_id in known}, "Runs")
    ticked = listed.by_key(st.query_params.get_all("runs"))
    if not len(listed):
        st.info("No run matches this filter.", icon=":material/search_off:")
        return Chosen(tuple(ticked), ())
    entries = _of_page(listed)
    baseline = _baseline(ticked)
    everything = [*entries, *ticked, *([baseline] if baseline is not None else [])]
    runs = _members(everything, chosen_view, available)
    shown, halves = _shown(
        entries, baseline, ticked, runs, chosen_view, available, len(entries) == len(listed)
    )
    shown_keys = [entry.key for entry in entries]
    ticked_keys = [entry.key for entry in ticked]
    event = st.dataframe(
        tables.styled(shown, available, _styles(entries, runs), halves),
        hide_index=True,
        column_config=tables.column_config(available, list(shown.columns)),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [place for place, key in enumerate(shown_keys) if key in ticked_keys]}
        },
        key=f"runs {hash(tuple(shown_keys))}",  # rows are counted: other rows make another table
        height=min(38 + 35 * len(shown), HEIGHT),
        placeholder="–",
    )
    chosen = [entries[row] for row in event.selection.rows if row < len(entries)]
    hidden = [entry for entry in ticked if entry.key not in shown_keys]
    st.query_params["runs"] = [entry.key for entry in (*chosen, *hidden)]
    key = None if baseline is None else baseline.key
    if chosen or hidden:
        single = tuple(entry.key for entry in chosen if not entry.is_group)
        return Chosen((*chosen, *hidden), single, key)
    first = _first(entries, runs)
    if len(first) < len(listed):
        what = "row" if chosen_view.group else "run"
        st.caption(f"No {what} is ticked: the curves are those of the first {len(first)} of {len(listed):,}.")
    if not chosen_view.group and grouping.has_repeats(reads.columns(schema.PARENT, schema.NUMBER)):
        st.button(
            "Group the repeats over seeds and folds",
            icon=":material/stacks:",
            type="tertiary",
            on_click=_group_repeats,
        )
    return Chosen(tuple(first), (), key)


def _group_repeats() -> None:
    st.session_state["group"] = [grouping.REPEATS]


def _of_page(listed: Listing) -> list[Entry]:
    """Draw the numbers of the pages where there are several; return the rows of the chosen page."""
    count = -(-len(listed) // PAGE)
    if count < 2:
        return [listed.entry(row) for row in listed.rows]
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        page = st.pagination(count, key="page", bind=URL)
    start = (min(page, count) - 1) * PAGE
    right.caption(f"{start + 1:,} to {min(start + PAGE, len(listed)):,} of {len(listed):,}")
    return [listed.entry(row) for row in listed.rows[start : start + PAGE]]


def _baseline(ticked: Sequence[Entry]) -> Entry | None:
    """Draw the choice of what the others are compared with, where something is ticked."""
    if not ticked:
        return None
    names = {"": "none"} | {entry.key: entry.name for entry in ticked}
    wanted = st.query_params.get("baseline", "")
    start = wanted if wanted in names else ""
    chosen = st.selectbox(
        "Baseline",
        list(names),
        index=list(names).index(start),
        format_func=names.__getitem__,
        key=f"baseline {hash((start, *names))}",
        help="Every result and cost gets a column with its difference from this row.",
        width=320,
    )
    if chosen:
        st.query_params["baseline"] = chosen
    else:
        st.query_params.pop("baseline", None)
    return next((entry for entry in ticked if entry.key == chosen), None)


def _members(entries: Sequence[Entry], chosen: View, available: Mapping[str, TableColumn]) -> pd.DataFrame:
    """The runs of some rows with what is shown of them."""
    run_ids = run_ids_of(entries)
    if len(run_ids) <= FEW:
        return reads.rows(run_ids)
    names = [available[name] for name in chosen.columns]
    logged = [metric for metric in METRICS if metric in available]
    found = reads.columns(schema.NUMBER, *logged, *table_columns.keys_of(names, reads.keys()["tags"]))
    return found[found["run_id"].isin(run_ids)].reset_index(drop=True)


def _shown(
    entries: Sequence[Entry],
    baseline: Entry | None,
    ticked: Sequence[Entry],
    runs: pd.DataFrame,
    chosen: View,
    available: Mapping[str, TableColumn],
    complete: bool,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of one page, and what is written after ± in it.

    complete: whether these are all rows; then columns in which none has a value are left out.
    """
    names = [*chosen.columns]
    if chosen.differing:
        compared = runs[runs["run_id"].isin(run_ids_of(ticked or entries))]
        names += [name for name in differing(compared) if name in available and name not in names]
    summary = _summary([*entries, *([baseline] if baseline is not None else [])], runs, names, available)
    means = summary.means.iloc[: len(entries)]
    if complete:
        means = means.dropna(axis="columns", how="all")
    best = marks()
    shown: dict[str, object] = {
        tables.COLOR: [tables.line(style) for style in _styles(entries, runs)],
        tables.MARK: [best.get(entry.key, "") for entry in entries],
    }
    leading = [name for name in ("model.name", "data.name") if name in means]
    shown |= {name: means[name] for name in leading}
    shown[tables.RUN] = [entry.name for entry in entries]
    if any(entry.is_group for entry in entries):
        shown[tables.COUNT] = summary.counts.iloc[: len(entries)]
    found = pd.DataFrame(shown | {name: means[name] for name in means if name not in leading})
    if baseline is not None:
        found = tables.with_differences(found, available, summary.means.iloc[-1])
    return found, summary.halves.iloc[: len(entries)]


def _summary(
    entries: Sequence[Entry], runs: pd.DataFrame, names: Sequence[str], available: Mapping[str, TableColumn]
) -> Summary:
    few = reads.datasets_of_few_classes()
    columns = {name: table_columns.values(runs, available[name], few) for name in names}
    return grouping.summarize(entries, runs, columns, st.session_state.get("band", "interval"))


def differing(runs: pd.DataFrame) -> list[str]:
    """Return the settings in which some runs differ, by the names of their columns."""
    settings = [one for one in table_columns.catalogue_of(runs).values() if one.source.startswith("params.")]
    return [one.name for one in settings if runs[one.source].fillna("").nunique() > 1]


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
