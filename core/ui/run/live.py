"""Fragments that renew themselves: the queue in short, and a run while it trains."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from core.analysis import health
from core.analysis.repeats import KEYS, repeats
from core.figures import learning_curves, system_use
from core.jobs import queue
from core.jobs.groups import Group
from core.jobs.logs import read_log
from core.launching.launch import launch_groups
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import guard, stored_runs, words
from core.ui.common.chart import chart
from core.ui.run.actions import cancel_button, run_actions
from core.ui.run.archive import HELP
from core.ui.run.edit import said_of
from core.ui.run.progress import all_done, expected_of, progress_bar

LIVE_S = 1.0
AGE_S = 20.0  # ages are said in minutes
SHOWN_LOG_LINES = 40
NEXT = 5  # of those that wait; the Queue page has them all


def state_badge(status: str) -> None:
    word, colour, icon = words.STATE_WORDS.get(status, (status.lower(), "gray", None))
    st.badge(word, color=colour, icon=icon)  # type: ignore[arg-type]


def trouble_badges(run: Run) -> None:
    """Draw a badge per kind of trouble of a run; none where all is well."""
    for kind, sentence in {one.kind: one.sentence for one in health.troubles(run)}.items():
        st.badge(kind, color="red", icon=":material/warning:", help=words.plain(sentence))


@guard.fragment(run_every=LIVE_S)
def await_first_run() -> None:
    """Run the page again once the first run was launched, here or elsewhere."""
    if len(stored_runs.columns()):
        st.rerun()


@st.fragment(run_every=LIVE_S)
def queue_panel(
    store: RunStore, *, narrow: bool = False, follow: bool = False, without: Collection[str] = ()
) -> None:
    """Draw the running runs, and those that will start next.

    Args:
        narrow: Bars below the names.
        follow: Run the whole page again when a run changes its state, for pages that show more of it; never
            for one with a form.
        without: Ids of runs that the page shows elsewhere.
    """
    with guard.show_errors():
        _queue_panel(store, narrow, follow, without)


def _queue_panel(store: RunStore, narrow: bool, follow: bool, without: Collection[str]) -> None:
    active = [run for run in reversed(stored_runs.queue_runs()) if run.active and run.run_id not in without]
    states = {run.run_id: run.status for run in active}
    before = st.session_state.get("queue-states", states)
    st.session_state["queue-states"] = states
    if follow and states != before:
        st.rerun()
    st.subheader("Running and queued")
    if not active:
        st.caption("No other run is training or queued." if without else "No run is training or queued.")
        return
    running = [run for run in active if run.status == schema.RUNNING]
    waiting = queue.in_order([run for run in active if run.status == schema.SCHEDULED])
    expected = expected_of(store, active)
    all_done(active, expected)
    for run in [*running, *waiting[:NEXT]]:
        with st.container(border=True):
            if narrow:
                run_link(run)
                progress_bar(run, expected.get(run.run_id))
                cancel_button(store, run)
                continue
            name, bar, button = st.columns([3, 6, 1.6], vertical_alignment="center")
            with name:
                run_link(run)
            with bar:
                progress_bar(run, expected.get(run.run_id))
            with button:
                cancel_button(store, run)
    if len(waiting) > NEXT:
        label = f"{len(waiting) - NEXT:,} more in the queue"
        st.page_link("pages/6_Queue.py", label=label, icon=":material/low_priority:")


def run_link(run: Run) -> None:
    """A link to the run's page."""
    st.page_link(
        "pages/4_Run.py",
        label=words.plain(words.run_name(run.name)),
        icon=":material/monitoring:",
        query_params={"run": run.run_id},
    )


def run_panel(store: RunStore, run_id: str) -> None:
    """Draw state, actions, progress, curves and log of a run; renewed every second while it is active."""
    active = stored_runs.run(run_id).active
    st.fragment(_run_panel, run_every=LIVE_S if active else None)(store, run_id, active)


def _run_panel(store: RunStore, run_id: str, was_active: bool) -> None:
    with guard.show_errors(returns=not was_active):
        _draw_run(store, run_id, was_active)


def _draw_run(store: RunStore, run_id: str, was_active: bool) -> None:
    run = stored_runs.run(run_id)
    if was_active and not run.active:
        st.rerun()  # once: the evaluation appears, and the panel stops renewing itself
    run_head(store, run)
    training_panel(store, run)


def run_head(store: RunStore, run: Run) -> None:
    """Draw the state of a run and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(run.status)
        if run.archived:
            st.badge("archived", color="gray", icon=":material/archive:", help=HELP)
        trouble_badges(run)
        submitted(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        run_actions(store, run)
    # In containers, so that the charts keep their place on the page, and with it their zoom, whatever
    # comes and goes above them.
    with st.container():
        said_of(run)
        group_line(run)
        if run.active:
            progress_bar(run, expected_of(store, [run]).get(run.run_id))
        _problems(run)


def training_panel(store: RunStore, run: Run) -> None:
    """Draw the curves of a run, its use of the machine, and its log."""
    run_id = run.run_id
    with st.container():
        _curves(run)
    with st.expander("Machine", icon=":material/memory:"):
        uses = system_use.collect(stored_runs.system_history(run_id))
        if uses:
            chart(system_use.draw(uses), f"machine-{run_id}")
        else:
            st.caption(MACHINE_LATER if run.active else "The use of the machine was not recorded.")
    log = read_log(store, run_id)
    with st.expander("Log", expanded=run.status != schema.FINISHED, icon=":material/notes:"):
        nothing = "nothing printed yet" if run.active else "no log was kept"
        st.code("\n".join(log.splitlines()[-SHOWN_LOG_LINES:]) or nothing, language=None)


def _problems(run: Run) -> None:
    """What the run said of starting weights, of its failure, and of what the store did not take."""
    if unchecked := run.tags.get(schema.LEAK_UNCHECKED):
        st.caption(f"Some images that its starting weights saw are not known. {words.plain(unchecked)}")
    if failure := run.tags.get(schema.FAILURE):
        st.error(words.plain(failure), icon=":material/error:")
    if not_logged := run.tags.get(schema.NOT_LOGGED):
        st.warning(
            f"Not everything could be logged. {words.plain(not_logged)}", icon=":material/cloud_alert:"
        )


MACHINE_LATER = "The use of the machine is recorded from the first training step on."


@st.fragment(run_every=AGE_S)
def submitted(run: Run) -> None:
    """Draw how long ago a run was submitted; renewed every 20 s."""
    st.caption(f"submitted {words.ago(run.started)}")


def _curves(run: Run) -> None:
    history = stored_runs.history([run.run_id])
    if history.empty:
        return
    style = stored_runs.style_of(run)
    for column, metric in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        with column:
            chart(learning_curves.draw_run(history, style, metric), f"{metric}-{run.run_id}")


def group_line(run: Run) -> None:
    """Draw the mean test accuracy of the repeats that a run is one of; nothing for a run without any."""
    if run.parent is None:
        return
    found = stored_runs.columns(*KEYS)
    found = repeats(found[found.get(f"tags.{schema.PARENT}") == run.parent])
    if found.empty:
        return
    row = found.iloc[0]
    if not row["finished"]:
        st.caption(f"One of {row['runs']} repeats, of which none has finished.")
        return
    test = words.spread(row["test_accuracy"], row["test_accuracy_std"])
    have = "has finished" if row["finished"] == 1 else "have finished"
    meaning = "" if row["finished"] == 1 else " (mean and standard deviation)"
    st.caption(
        f"One of {row['runs']} repeats, of which {row['finished']} {have}: test accuracy {test}{meaning}."
    )


def launch_all(groups: list[Group], tags: dict[str, str] | None = None) -> list[str]:
    """Launch runs and return their ids; where they are refused, say why, write nothing and return []."""
    with guard.show_errors():
        return launch_groups(groups, tags)
    return []
