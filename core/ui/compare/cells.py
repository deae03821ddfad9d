"""Names, tags, notes and pins of runs, edited in the cells of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core.analysis.entries import Entry
from core.analysis.export import Table
from core.analysis.shown_table import RUN
from core.figures.style import LineStyle
from core.tracking import annotation
from core.tracking.annotation import Annotation
from core.tracking.run import Run
from core.tracking.store import RunStore, get_store
from core.ui.common import guard, stored_runs, words
from core.ui.common.actions import may_change
from core.ui.compare import tables
from core.ui.run.edit import TAGS_HELP

TOGGLE, STATE = "edit_cells", "edited cells"  # names in the state of a visit
TAGS, NOTE, PINNED = "edit tags", "edit note", "edit pinned"  # columns; the name is edited as `RUN`
NAMED = 5  # rows that are named where they cannot be edited
HELP = "Type names, tags, notes and pins into their cells; each is saved at once. Ticks stay as they are."


def toggle() -> None:
    """Draw the switch between the table with its ticks and the table with cells to type in."""
    if may_change():
        st.toggle("Edit in the table", key=TOGGLE, help=HELP, on_change=_begin)


def wanted() -> bool:
    """Whether the cells are to be edited; never on a read-only server."""
    return may_change() and bool(st.session_state.get(TOGGLE))


def edit_cells(
    entries: Sequence[Entry],
    table: Table,
    styles: Sequence[LineStyle],
    config: Mapping[str, Any],
    height: int,
) -> None:
    """Draw the runs of a page with cells to type in, and save what was changed.

    Streamlit's editor counts rows and forgets what was typed when its data change, so it keeps rows, order
    and columns as they were when the editing of these runs began.

    Args:
        entries: The rows of the page; groups and runs of other programs are left out, which is said.
        table: What is shown of the entries, styles: how their curves are drawn, config: titles and helps.
        height: In pixels.
    """
    runs = {run.run_id: run for run in stored_runs.of_ids([one.key for one in entries])}
    places = [at for at, one in enumerate(entries) if one.key in runs and runs[one.key].is_ours]
    _say_left_out(entries, runs)
    if not places:
        return
    run_ids = tuple(entries[at].key for at in places)
    key = f"cells {hash(frozenset(run_ids))}"  # pinning a run, or an epoch, changes the order
    kept: dict[str, _Editing] = st.session_state.setdefault(STATE, {})
    if key not in kept:
        before = {run_id: annotation.annotation_of(runs[run_id]) for run_id in run_ids}
        shown = _with_cells(table, places, list(before.values()))
        kept[key] = _Editing(run_ids, shown, before, dict(before))
    editing, style_of = kept[key], {entries[at].key: styles[at] for at in places}
    st.data_editor(
        tables.styled(editing.table, [style_of[run_id] for run_id in editing.run_ids]),
        hide_index=True,
        disabled=[
            name for name in (tables.COLOR, *editing.table.rows) if name not in (RUN, TAGS, NOTE, PINNED)
        ],
        column_config={
            **config,
            RUN: st.column_config.TextColumn("name", width="medium", max_chars=annotation.LONGEST_NAME),
            TAGS: st.column_config.TextColumn("tags", width="medium", help=TAGS_HELP),
            NOTE: st.column_config.TextColumn("note", width="medium", max_chars=annotation.LONGEST_NOTE),
            PINNED: st.column_config.CheckboxColumn("pinned", width="small", help="To the top of the table."),
        },
        key=key,
        on_change=_save,
        args=(key, lambda: suppress(Exception)),  # the page tries it again and says why
        height=height,
        placeholder="–",
    )
    _save(key, guard.show_errors)  # what the click on a cell could not save is said here


def _save(key: str, guarded: Callable[[], AbstractContextManager[None]]) -> None:
    """Save the changed cells of the editor with this key.

    It is also called before the page runs again: a page that another click interrupts may not come so far.
    """
    editing: _Editing | None = st.session_state.get(STATE, {}).get(key)
    if editing is None:  # the editing has ended
        return
    edits = st.session_state[key]["edited_rows"]
    if save(get_store(), editing.run_ids, editing.before, editing.saved, edits, guarded):
        st.toast("Saved.", icon=":material/check:")
        stored_runs.forget_runs()


def save(
    store: RunStore,
    run_ids: Sequence[str],
    before: Mapping[str, Annotation],
    saved: dict[str, Annotation],
    edits: Mapping[int, Mapping[str, Any]],
    guarded: Callable[[], AbstractContextManager[None]] = guard.show_errors,
) -> bool:
    """Save what was typed, a run at a time.

    Args:
        run_ids: Of the rows, in their order.
        before: What the cells had when the editing began, by run id.
        saved: What was saved last, by run id; renewed here.
        edits: The changed cells by the number of the row and the name of the column.
        guarded: What a refusal is caught by.

    Returns:
        Whether something was saved.
    """
    done = False
    for row, cells in edits.items():
        run_id = run_ids[row]
        with guarded():
            now = _changed(before[run_id], cells)
            if now != saved[run_id]:
                annotation.annotate(store, run_id, now, saved[run_id])
                saved[run_id], done = now, True
    return done


@dataclass(frozen=True)
class _Editing:
    """What a visitor edits: the rows as they were, and what was saved of each run since."""

    run_ids: tuple[str, ...]
    table: Table
    before: dict[str, Annotation]
    saved: dict[str, Annotation]


def _begin() -> None:
    """Read the runs anew when the editing begins."""
    if st.session_state[TOGGLE]:
        st.session_state.pop(STATE, None)


def _changed(before: Annotation, cells: Mapping[str, Any]) -> Annotation:
    """What a run is to have. Raises ConfigError for tags that cannot be read."""
    found = before
    if RUN in cells:
        found = replace(found, name=cells[RUN] or "")
    if TAGS in cells:
        found = replace(found, tags=annotation.parse_tags(cells[TAGS] or ""))
    if NOTE in cells:
        found = replace(found, note=cells[NOTE] or "")
    if PINNED in cells:
        found = replace(found, pinned=bool(cells[PINNED]))
    return found


def _with_cells(table: Table, places: Sequence[int], said: Sequence[Annotation]) -> Table:
    """Some rows of a table, with the columns to type in behind the name."""
    rows = table.rows.iloc[list(places)].copy()
    rows[RUN] = [one.name for one in said]
    at = rows.columns.get_loc(RUN) + 1
    rows.insert(at, PINNED, [one.pinned for one in said])
    rows.insert(at, NOTE, [one.note for one in said])
    rows.insert(at, TAGS, [annotation.write_tags(one.tags) for one in said])
    rows = rows.drop(columns=[name for name in ("tags", "note") if name in rows])
    return replace(
        table, rows=rows.reset_index(drop=True), halves=table.halves.iloc[list(places)].reset_index(drop=True)
    )


def _say_left_out(entries: Sequence[Entry], runs: Mapping[str, Run]) -> None:
    """Say which rows of the page cannot be edited, and why."""
    if groups := [entry for entry in entries if entry.is_group]:
        what = "group has" if len(groups) == 1 else "groups have"
        st.caption(
            f":material/info: {len(groups)} {what} no cells to edit: single runs have names, tags and notes."
        )
    if foreign := [run.name for run in runs.values() if not run.is_ours]:
        names = ", ".join(words.plain(name) for name in foreign[:NAMED])
        more = f" and {len(foreign) - NAMED} more" if len(foreign) > NAMED else ""
        st.caption(f":material/info: Logged by other programs, so not changed here: {names}{more}.")
