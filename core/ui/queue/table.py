"""The table of the queue: what runs where, what starts next and when, and the actions on selected rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import pandas as pd
import streamlit as st

from core.analysis.expected import Expected, SpeedModel
from core.jobs import queue, speed_probe
from core.jobs.executors.ray_head import cluster_of
from core.jobs.slots import AUTO
from core.jobs.worker import WorkerSettings, worker_of
from core.launching.continuing import cancel
from core.system.settings import Settings
from core.system.units import duration
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.run_state import RunState
from core.tracking.store import RunStore
from core.ui.common import guard, stored_runs, words
from core.ui.common.actions import action_button, may_change
from core.ui.run.times import expectations, own_runs, present_speed_model, wanted_device

LIVE_S = 2.0
GENERATION = "queue-generation"  # of the table: how often something was done with selected rows
FROZEN = "queue-frozen"  # ids in the order in which they were shown when some were selected


@st.fragment(run_every=LIVE_S)
def queue_table(store: RunStore) -> None:
    """Draw the whole queue, renewed every 2 s; while rows are selected they keep their places."""
    with guard.show_errors():
        _queue_table(store)


def _queue_table(store: RunStore) -> None:
    served = WorkerSettings.by_worker(store.settings)
    if note := worker_note(served, WorkerSettings.of(store.settings)):
        st.warning(note, icon=":material/sync_problem:")
    runs = own_runs(store)
    waiting = [run for run in queue.waiting(store) if run.run_id in runs]
    problem = obstacle(store.settings, served, waiting)
    if problem:
        st.warning(words.plain(problem), icon=":material/pause_circle:")
    running = [run for run in reversed(runs.values()) if run.status == schema.RUNNING]
    held = {run.run_id for run in waiting if queue.is_held(run)}
    order = [run.run_id for run in (*running, *waiting)]
    turn = [runs[run.run_id] for run in waiting if run.run_id not in held]
    key = f"queue-table-{st.session_state.setdefault(GENERATION, 0)}"
    selected = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    if selected:
        order = [one for one in st.session_state.get(FROZEN, order) if one in runs]
    st.session_state[FROZEN] = order
    if not order:
        st.caption("No run is training or queued.")
        if may_change():
            st.page_link("pages/2_Train.py", label="Launch a run", icon=":material/model_training:")
        _elsewhere()
        return
    speeds = present_speed_model(store, served.slots)
    devices(running, served.slots)
    expected = {} if problem else expectations(running, turn, served.slots, speeds)
    table = rows([runs[one] for one in order], turn, held, served.slots, expected)
    if not table["priority"].any():
        table = table.drop(columns="priority")  # a column of zeros says nothing
    event = st.dataframe(
        table, key=key, hide_index=True, selection_mode="multi-row", on_select="rerun",
        column_config=COLUMNS, height="content" if len(table) < 15 else 560,
    )  # fmt: skip
    _elsewhere()
    actions(store, [order[row] for row in event["selection"]["rows"] if row < len(order)])
    if served.executor == "local":
        measurements(store, [runs[run.run_id] for run in waiting], speeds)


def _elsewhere() -> None:
    """Say how many live runs of other programs this queue does not show."""
    if found := stored_runs.live_elsewhere():
        st.caption(f"{words.count(found)} of other programs: live in this store, and in no queue of ArchLab.")


OTHER_WORKER = (
    "The worker was started with other settings than this dashboard, and keeps them: the table below is for "
    "its settings. `core worker --stop` ends it, with what it trains; the next one has the new settings."
)


OLDER_WORKER = (
    "The worker runs an earlier version of the program. End it with `python -m core worker --stop` once no "
    "run trains: the next one has this version."
)
OUTDATED_WORKER = (
    "The program was updated while the worker trains: it restarts by itself once no run trains. "
    "`python -m core worker --stop` ends it now, with what it trains."
)


def worker_note(served: WorkerSettings, now: WorkerSettings) -> str:
    """Say in a sentence how the running worker differs from one started now; empty where it does not."""
    if (served.executor, served.slots) != (now.executor, now.slots):
        return OTHER_WORKER
    if served.code == now.code:
        return ""
    return OUTDATED_WORKER if served.code else OLDER_WORKER


def obstacle(settings: Settings, served: WorkerSettings, waiting: Sequence[RunState]) -> str:
    """Say why no queued run can start now; empty when one can."""
    refusals = [run.tags[schema.NOT_TAKEN] for run in waiting if schema.NOT_TAKEN in run.tags]
    problem = _head_problem(settings) if served.executor == "ray" else ""
    if problem or refusals:
        return f"{problem or refusals[0]} Runs wait for it."
    if waiting and settings.role != "trainer" and not worker_of(settings).is_running():
        return "No worker runs, and this server, which is read-only, starts none: queued runs stay queued."
    return ""


@st.cache_data(ttl=10.0, show_spinner=False)
def _head_problem(settings: Settings) -> str:
    """Why the cluster cannot be reached; empty when it can."""
    return cluster_of(settings).problem()


COLUMNS = {
    "place": st.column_config.TextColumn("place", width=85),
    "run": st.column_config.TextColumn("run", width=200),
    "done": st.column_config.ProgressColumn("done", min_value=0, max_value=100, format="%d %%", width=95),
    "priority": st.column_config.NumberColumn("priority", width=60),
    "run page": st.column_config.LinkColumn("", display_text="open", width=55),
}


def devices(running: Sequence[Run], slots: Sequence[str]) -> None:
    """Draw how many runs each device has, of those it may have at once."""
    busy = Counter(one for run in running for one in (run.device or "").split(","))
    with st.container(horizontal=True, gap="small"):
        for device, count in Counter(slots).items():
            trains = f"{busy[device]} of {count} busy" if count > 1 else "busy" if busy[device] else "free"
            st.badge(f"{words.device_name(device)}: {trains}", color="blue" if busy[device] else "gray")


def rows(
    runs: Sequence[Run],
    turn: Sequence[Run],
    held: Collection[str],
    slots: Sequence[str],
    expected: Mapping[str, Expected],
) -> pd.DataFrame:
    """Build the table of the queue: one row per run, in the order of `runs`.

    Args:
        turn: Those that will start, in this order.
        held: Ids of those that stay in the queue until they are released.
        slots: As `core.jobs.slots.slots_of` has them.
        expected: Times by run id.
    """
    places = {run.run_id: str(position) for position, run in enumerate(turn, start=1)}
    found = []
    for run in runs:
        run_id, when = run.run_id, expected.get(run.run_id, Expected(None, None))
        found.append(
            {
                "place": places.get(run_id) or _state(run, run_id in held),
                "run": words.run_name(run.name),
                "run page": f"Run?run={run_id}",
                "device": _device(run, slots),
                "done": _done(run),
                "priority": queue.priority(run),
                "starts": _in(when.starts),
                "ends": _in(when.ends),
                "submitted": words.ago(run.started),
            }
        )
    return pd.DataFrame(found)


def measurements(store: RunStore, waiting: Sequence[Run], speeds: SpeedModel) -> None:
    """Offer to measure waiting runs of which no time is known, by a few steps, and say which could not be."""
    problems = {run.run_id: run.tags[schema.UNMEASURED] for run in waiting if schema.UNMEASURED in run.tags}
    for run in waiting:
        if run.run_id in problems:
            reason = words.plain(problems[run.run_id])
            st.caption(f":material/error: {words.plain(run.name)} was not measured: {reason}")
    asked = [run.run_id for run in waiting if schema.MEASURE in run.tags]
    if asked:
        st.caption(f"{words.count(asked)} will be measured as soon as a device is free.")
    wanted = [one for one in speeds.unknown(waiting) if one not in problems and one not in asked]
    if not wanted or asked:
        return
    label = f"Measure {words.count(wanted)}"
    if action_button(label, key="queue-measure", icon=":material/speed:", help=MEASURE_HELP):
        with guard.show_errors():
            speed_probe.ask(store, wanted)
            stored_runs.forget_runs()
            st.rerun(scope="fragment")


MEASURE_HELP = (
    "No finished or running run is like those without a time. A few steps of each kind are timed as soon as "
    "a device is free, before other runs start there."
)


def actions(store: RunStore, chosen: Sequence[str]) -> None:
    """Draw the actions on the selected runs; each button says on how many it acts."""
    if not may_change():
        return
    if not chosen:
        st.caption("Select rows to move, hold, release or cancel them.")
        return
    states = {one: store.state(one) for one in chosen}
    waits = [one for one, run in states.items() if run.status == schema.SCHEDULED]
    free = [one for one in waits if not queue.is_held(states[one])]
    holds = [one for one in waits if queue.is_held(states[one])]
    alive = [one for one, run in states.items() if run.active and not run.cancel_requested]
    with st.container(horizontal=True):
        _button("Move up", waits, ":material/arrow_upward:", lambda: queue.move_up(store, waits))
        _button("Next", waits, ":material/vertical_align_top:", lambda: queue.move_to_front(store, waits))
        _button("Hold", free, ":material/pause:", lambda: queue.hold(store, free))
        _button("Release", holds, ":material/play_arrow:", lambda: queue.release(store, holds))
        _button("Cancel", alive, ":material/stop_circle:", lambda: _cancel_all(store, alive))


def _button(label: str, chosen: Sequence[str], icon: str, action: Callable[[], None]) -> None:
    count = f" {words.count(chosen)}" if chosen else ""
    if not st.button(label + count, key=f"queue-{label}", icon=icon, disabled=not chosen):
        return
    with guard.show_errors():
        action()
        # The order may have changed: in a table of a new name nothing is selected.
        st.session_state[GENERATION] = st.session_state.get(GENERATION, 0) + 1
        stored_runs.forget_runs()
        st.rerun()


def _cancel_all(store: RunStore, run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        cancel(store, run_id)


def _device(run: Run, slots: Sequence[str]) -> str:
    """What a run trains on, or the device that it was launched for."""
    if run.status == schema.RUNNING:
        return words.device_name(run.device) if run.device else ""
    wanted = wanted_device(run, slots)
    if wanted == AUTO:
        return ""
    return f"waits for {words.device_name(wanted)}" + ("" if wanted in slots else ", which is not here")


def _state(run: Run, held: bool) -> str:
    """The state of a run that has no place in the order of starts."""
    if run.status == schema.RUNNING:
        return words.activity(run)
    return "held" if held else words.STATE_WORDS[run.status][0]


def _done(run: Run) -> float | None:
    """Percent of its steps."""
    progress = words.progress(run)
    if run.status == schema.RUNNING and words.activity(run) == "ending":
        return 100.0
    return min(100.0, 100 * progress["step"] / progress["steps"]) if progress.get("steps") else None


def _in(seconds: float | None) -> str:
    return "" if seconds is None else "now" if seconds < 1 else f"in {duration(seconds)}"
