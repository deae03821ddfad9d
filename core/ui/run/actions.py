"""What can be done with a run on its page: cancel it, let it go on, train it further."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pandas as pd
import streamlit as st

from core.jobs import deletion
from core.jobs.groups import group_of
from core.launching.extension import OF_A_LENGTH
from core.launching.launch import cancel, extend, extension, launch, launch_groups, resume
from core.tracking import schema
from core.tracking.run_state import number_of
from core.tracking.store import RunStore
from core.ui.common import guard, reads, words
from core.ui.common.actions import action_button, may_change
from core.ui.train.form_url import query


def run_actions(store: RunStore, run: pd.Series) -> None:
    """The actions that the run's state allows. run: its row of `reads.runs()`."""
    if not words.is_ours(run):
        return
    run_id, status = run["run_id"], run["status"]
    if isinstance(rates := run.get(f"tags.{schema.RATES}"), str):
        st.caption(words.plain(rates))
    if status in schema.ACTIVE:
        cancel_button(store, run)
    if status in (schema.FAILED, schema.KILLED):
        if action_button("Resume", key=f"resume-{run_id}", icon=":material/resume:", help=RESUME_HELP):
            attempt(lambda: resume(store, run_id), "In the queue again.")
        fits = number_of(run.get(f"tags.{schema.FITS}"))
        label = f"Queue again with batches of {fits}"
        if fits is not None and action_button(label, key=f"fits-{run_id}", icon=":material/memory_alt:"):
            smaller = {"training.batch_size": fits, "training.batch_size_is": "total"}
            attempt(lambda: launch([store.config(run_id).with_values(smaller)]), "A new run is in the queue.")
    if status in schema.ENDED and may_change():
        again(store, run)
        keep_or_delete(store, run)
    by_epochs = run.get("params.training.steps", "0") == "0" and not words.is_range_test(run)
    if (
        status == schema.FINISHED
        and by_epochs
        and may_change()
        and store.settings.checkpoint(run_id).exists()
    ):
        with st.popover("Train further", icon=":material/forward:"):
            epochs = st.number_input("Further epochs", 1, value=5, step=1, key=f"further-{run_id}")
            rate, stretch = rate_choice(store, run, int(epochs))
            if st.button("Launch", key=f"extend-{run_id}", type="primary"):
                attempt(
                    lambda: extend(store, run_id, int(epochs), rate, stretch), "A longer run is in the queue."
                )


def rate_choice(store: RunStore, run: pd.Series, epochs: int) -> tuple[float | None, bool]:
    """Ask how the learning rate goes on where the schedule ended: a constant rate, or stretched."""
    if run.get("params.schedule.name") not in OF_A_LENGTH:
        return None, False
    run_id = run["run_id"]
    with suppress(FileNotFoundError, ValueError):  # then the launch says what is missing
        config = store.config(run_id)
        further = extension(config, store.read.last_step(run_id), epochs)
        if further.needs_a_choice:
            st.caption(further.happened)
            ways = ("Constant", "Stretched schedule")
            if st.radio("Learning rate", ways, key=f"way-{run_id}") == ways[1]:
                return None, True
            tenth = config.optimizer.learning_rate / 10
            rate = st.number_input("Constant rate", value=tenth, format="%g", step=None, key=f"rate-{run_id}")
            return float(rate), False
    return None, False


def keep_or_delete(store: RunStore, run: pd.Series) -> None:
    """Lock a run that is worth keeping, or delete it, alone or with its group, after a question."""
    run_id, name = run["run_id"], words.plain(run["name"])
    if isinstance(run.get(f"tags.{schema.LOCKED}"), str):
        if st.button("Unlock", key=f"unlock-{run_id}", icon=":material/lock:", help=LOCK_HELP):
            attempt(lambda: deletion.unlock(store, [run_id]), "The run can be deleted again.")
        return
    if st.button("Lock", key=f"lock-{run_id}", icon=":material/lock_open:", help=LOCK_HELP):
        attempt(lambda: deletion.lock(store, [run_id]), "The run cannot be deleted any more.")
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(f"Delete **{name}** for good? {DELETE_WORDS}")
        if st.button("Delete this run", key=f"delete-{run_id}", type="primary"):
            delete(store, [run_id])
        parent = run.get(f"tags.{schema.PARENT}")
        if isinstance(parent, str):
            label = "Delete its whole group"
            if st.button(label, key=f"delete-group-{run_id}", help="All repeats over seeds and folds."):
                delete(store, [parent])


def delete_many(store: RunStore, runs: pd.DataFrame) -> None:
    """Delete several runs after a question; nothing where none is chosen or the server is read-only.

    runs: their rows of `reads.runs()`.
    """
    if runs.empty or not may_change():
        return
    names = ", ".join(words.plain(name) for name in runs["name"].head(NAMED))
    more = f" and {len(runs) - NAMED:,} more" if len(runs) > NAMED else ""
    with st.popover(f"Delete {words.count(runs)}", icon=":material/delete:"):
        st.markdown(f"Delete for good: **{names}**{more}? {DELETE_WORDS}")
        if st.button("Delete them", key="delete-many", type="primary"):
            delete(store, runs["run_id"].tolist())


def delete(store: RunStore, run_ids: list[str]) -> None:
    """Delete runs or groups; a refusal is shown in its words, and nothing is deleted then."""
    with guard.said():
        found = deletion.delete(store, run_ids)
        st.toast(f"Deleted {words.count(found.run_ids)}.", icon=":material/check:")
        for place in found.left:
            st.toast(f"These files could not be removed: {words.plain(place)}", icon=":material/warning:")
        st.query_params.pop("run", None)
        if "runs" in st.query_params:
            ticked = st.query_params.get_all("runs")
            st.query_params["runs"] = [run_id for run_id in ticked if run_id not in found.run_ids]
        reads.forget_runs()
        st.rerun()


NAMED = 5  # runs named in the question before a deletion
LOCK_HELP = "A locked run cannot be deleted, neither here nor on the command line."
DELETE_WORDS = "Its model, predictions, curves, checkpoint and log go too. This cannot be undone."


def again(store: RunStore, run: pd.Series) -> None:
    """The same once more, alone or with its whole group, or with changes in the form."""
    run_id, parent = run["run_id"], run.get(f"tags.{schema.PARENT}")
    if st.button("Launch again", key=f"again-{run_id}", icon=":material/replay:"):
        attempt(lambda: launch([store.config(run_id)]), "A new run is in the queue.")
    if isinstance(parent, str) and st.button(
        "Launch its group again", key=f"group-{run_id}", icon=":material/repeat:"
    ):
        attempt(lambda: launch_groups([group_of(store, parent)]), "A new group is in the queue.")
    with suppress(FileNotFoundError, ValueError):  # what is gone, or not as it was, cannot be changed
        st.page_link(
            "pages/2_Train.py",
            label="Edit and launch",
            icon=":material/tune:",
            query_params=query(store.config(run_id), reads.runs()),
        )


RESUME_HELP = "It continues from its last checkpoint, or starts again where it has none."


def attempt(action: Callable[[], object], done: str) -> None:
    """Do something to runs; a refusal is shown in its words."""
    with guard.said():
        action()
        st.toast(done, icon=":material/check:")
        reads.forget_runs()
        st.rerun()


def cancel_button(store: RunStore, run: pd.Series) -> None:
    """Ends a run on a click; shown while there is something to end."""
    if run["status"] not in schema.ACTIVE or not words.is_ours(run):
        return
    if run["status"] == schema.RUNNING and words.progress(run).get("phase") == schema.SAVED:
        return
    asked = isinstance(run.get(f"tags.{schema.CANCEL}"), str)
    label = "Cancelling" if asked else "Cancel"
    if action_button(label, key=f"cancel-{run['run_id']}", icon=":material/stop_circle:", disabled=asked):
        with guard.said():
            cancel(store, run["run_id"])
            st.toast(f"Asked {words.plain(run['name'])} to end.")
            reads.forget_runs()
            st.rerun(scope="fragment")
