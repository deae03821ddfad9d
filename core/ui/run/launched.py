"""The runs that a visitor launched last: how far they are, their curves, and where to go on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis.entries import entry_of
from core.figures import curve_lines, learning_curves
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import guard, stored_runs, words
from core.ui.common.chart import chart
from core.ui.run.actions import cancel_button
from core.ui.run.live import LIVE_S, run_link, state_badge
from core.ui.run.progress import expected_of, progress_bar

KEY = "launched"  # their ids in the session
SHOWN = 6  # of which bars and curves are drawn: they are read every second
MOST = 50  # runs that a link ticks: an address has a limit
METRICS = ("val_accuracy", "accuracy")  # runs of one launch validate alike: the first that one has logged


def remember(run_ids: Sequence[str]) -> None:
    """Show these runs from now on."""
    st.session_state[KEY] = list(run_ids)


def launched_ids() -> list[str]:
    """Return the ids of the runs that were launched last."""
    return st.session_state.get(KEY, [])


def launched_link(place: DeltaGenerator) -> None:
    """Draw a link to what was launched last beside the button that did it; nothing where nothing was."""
    run_ids = launched_ids()
    if not run_ids:
        return
    if len(run_ids) == 1:
        page, label, key = "pages/4_Run.py", "Watch the launched run", "run"
    else:
        which = f"the {len(run_ids):,}" if len(run_ids) <= MOST else f"the first {MOST} of {len(run_ids):,}"
        page, label, key = "pages/3_Compare.py", f"Compare {which} launched runs", "runs"
    query = [(key, run_id) for run_id in run_ids[:MOST]]
    place.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query)


@st.fragment(run_every=LIVE_S)
def launched_panel(store: RunStore) -> None:
    """Draw the runs that were launched last, renewed every second; nothing where none was."""
    with guard.show_errors():
        if run_ids := launched_ids():
            _draw(store, stored_runs.of_ids(run_ids[:SHOWN]), len(run_ids))


def _draw(store: RunStore, runs: list[Run], count: int) -> None:
    """Draw the first runs of a launch. count: how many were launched."""
    st.subheader("Launched last")
    expected = expected_of(store, [run for run in runs if run.active])
    for run in runs:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                run_link(run)
                if run.active:
                    cancel_button(store, run)
                else:
                    state_badge(run.status)
            if run.active:
                progress_bar(run, expected.get(run.run_id))
    if count > SHOWN:
        label = f"{count - SHOWN:,} more on the Queue page"
        st.page_link("pages/6_Queue.py", label=label, icon=":material/low_priority:")
    _curves(runs)


def _curves(runs: list[Run]) -> None:
    """One chart for all of them, on their validation images where they have some."""
    history = stored_runs.history([run.run_id for run in runs])
    logged = set() if history.empty else set(history["metric"])
    metric = next((one for one in METRICS if one in logged), None)
    if metric is None:
        return
    lines = curve_lines.collect(history, [entry_of(run, words.run_name(run.name)) for run in runs], metric)
    styles = {run.run_id: stored_runs.style_of(run) for run in runs}
    chart(learning_curves.draw(lines, styles, metric), "launched-curves")
