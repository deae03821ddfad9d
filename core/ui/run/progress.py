"""How far runs are: what each does, since when, and how long it will still take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.analysis.expected import Expected
from core.jobs import queue
from core.jobs.slots import slots_of
from core.system.units import duration
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import words
from core.ui.run.times import expectations, own_runs, present_speed_model

STARTING = [
    phase for phase in words.BEFORE_TRAINING if phase not in ("starting", "compiling", schema.PENDING)
]


def progress_bar(run: Run, expected: Expected | None = None) -> None:
    """Draw what a run does, how far it is, how fast it trains, and how long it will still take.

    expected: When it starts and ends by the times of similar runs: said until it reports that itself.
    """
    if not run.is_ours:
        st.caption("Another program logs this run; it reports no progress.")
        return
    if run.status == schema.SCHEDULED:
        waits = "held in the queue" if run.held else "waiting in the queue"
        starts = "" if expected is None or expected.starts is None or run.held else _starts(expected.starts)
        st.progress(0.0, text=f"{waits} · submitted {words.ago(run.started)}{starts}")
        return
    progress = words.progress(run)
    phase = progress.get("phase", "starting")
    seconds = words.seconds_so_far(run)
    so_far = [] if seconds is None else [f"{duration(seconds)} so far"]
    ending = ["cancelling"] if words.is_cancelling(run) else []
    if phase != "training" or not {"epoch", "epochs", "step", "steps"} <= progress.keys():
        share = 0.0 if phase in words.BEFORE_TRAINING else 1.0
        if expected is not None and expected.ends and not ending and phase != schema.SAVED:
            so_far.append(f"about {duration(expected.ends)} left, as similar runs took")
        st.progress(share, text=" · ".join([*ending, _phase_words(phase), *so_far]))
        return
    parts = [*ending, f"epoch {progress['epoch']} of {progress['epochs']}", *so_far]
    if "remaining_s" in progress and not ending:
        parts.append(f"{duration(progress['remaining_s'])} left")
    if "images_per_second" in progress:
        parts.append(f"{progress['images_per_second']:,.0f} images/s")
    st.progress(min(1.0, progress["step"] / progress["steps"]), text=" · ".join(parts))


def _starts(seconds: float) -> str:
    return " · starts next" if seconds < 1 else f" · starts in about {duration(seconds)}"


def _phase_words(phase: str) -> str:
    """Name a phase besides training steps: "starting: importing Keras"."""
    if phase in STARTING:
        return f"starting: {phase}"
    return f"evaluating: {phase}" if phase == "measuring the latency" else phase


def expected_of(store: RunStore, active: Sequence[Run]) -> dict[str, Expected]:
    """Return when running and waiting runs of this installation start and end, by run id."""
    runs = own_runs(store)
    running = [run for run in active if run.status == schema.RUNNING and run.run_id in runs]
    mine = [run for run in runs.values() if run.status == schema.SCHEDULED and not run.held]
    if not running and not mine:
        return {}
    slots = slots_of(store.settings)
    return expectations(running, queue.in_order(mine), slots, present_speed_model(store, slots))


def all_done(active: Sequence[Run], expected: Mapping[str, Expected]) -> None:
    """Draw when the last of several runs ends; nothing where that of one is not known."""
    ends = [found.ends if (found := expected.get(run.run_id)) else None for run in active if not run.held]
    known = [one for one in ends if one is not None]
    if len(ends) > 1 and len(known) == len(ends):
        st.caption(f"All {len(ends)} are done in about {duration(max(known))}.")
