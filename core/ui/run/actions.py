"""Actions on the page of a run: cancel, resume, launch again, train further, archive, lock, delete."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

import pandas as pd
import streamlit as st

from core.components.schedules import schedules
from core.jobs import deletion
from core.jobs.groups import group_of
from core.launching.continuing import cancel, extend, extension, resume
from core.launching.launch import launch, launch_groups
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.run_state import number_of
from core.tracking.store import RunStore
from core.tracking.tables import column
from core.ui.common import guard, stored_runs, words
from core.ui.common.actions import action_button, attempt, may_change
from core.ui.run.archive import archive_button, restore_button
from core.ui.run.edit import edit
from core.ui.train.form_url import query


def run_actions(store: RunStore, run: Run) -> None:
    """Draw the actions that the state of a run allows."""
    if not run.is_ours:
        return
    run_id = run.run_id
    if rates := run.tags.get(schema.RATES):
        st.caption(words.plain(rates))
    if run.active:
        cancel_button(store, run)
    if run.archived:
        if may_change():
            restore_button(store, "Restore", [run_id])
            edit(run)
            keep_or_delete(store, run)
        return
    if run.status in (schema.FAILED, schema.KILLED):
        if action_button("Resume", key=f"resume-{run_id}", icon=":material/resume:", help=RESUME_HELP):
            attempt(lambda: resume(store, run_id), "In the queue again.")
        fits = number_of(run.tags.get(schema.FITS))
        label = f"Queue again with batches of {fits}"
        if fits is not None and action_button(label, key=f"fits-{run_id}", icon=":material/memory_alt:"):
            smaller = {"training.batch_size": fits, "training.batch_size_is": "total"}
            attempt(lambda: launch([store.config(run_id).with_values(smaller)]), "A new run is in the queue.")
    edit(run)
    if run.status in schema.ENDED and may_change():
        again(store, run)
        archive_button(store, "Archive", [run_id])
        keep_or_delete(store, run)
    if _can_train_further(store, run):
        with st.popover("Train further", icon=":material/forward:"):
            epochs = st.number_input("Further epochs", 1, value=5, step=1, key=f"further-{run_id}")
            rate, stretch = rate_choice(store, run, int(epochs))
            if st.button("Launch", key=f"extend-{run_id}", type="primary"):
                attempt(
                    lambda: extend(store, run_id, int(epochs), rate, stretch), "A longer run is in the queue."
                )


def _can_train_further(store: RunStore, run: Run) -> bool:
    by_epochs = not run.whole_setting("training.steps") and not run.is_range_test
    finished = run.status == schema.FINISHED and by_epochs
    return finished and may_change() and store.settings.checkpoint(run.run_id).exists()


def rate_choice(store: RunStore, run: Run, epochs: int) -> tuple[float | None, bool]:
    """Ask for the learning rate after the end of the schedule.

    Args:
        epochs: How many further ones are asked for.

    Returns:
        A constant rate, or None; and whether the schedule is stretched instead.
    """
    schedule = run.params.get("schedule.name", "")
    if schedule not in schedules or not schedules.get(schedule).ends_with_run:
        return None, False
    run_id = run.run_id
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


def keep_or_delete(store: RunStore, run: Run) -> None:
    """Draw the buttons that lock a run, or delete it or its group after a confirmation."""
    run_id, name = run.run_id, words.plain(run.name)
    if run.locked:
        if st.button("Unlock", key=f"unlock-{run_id}", icon=":material/lock:", help=LOCK_HELP):
            attempt(lambda: deletion.unlock(store, [run_id]), "The run can be deleted again.")
        return
    if st.button("Lock", key=f"lock-{run_id}", icon=":material/lock_open:", help=LOCK_HELP):
        attempt(lambda: deletion.lock(store, [run_id]), "The run cannot be deleted any more.")
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(f"Delete **{name}** for good? {DELETE_WORDS}")
        if st.button("Delete this run", key=f"delete-{run_id}", type="primary"):
            delete(store, [run_id])
        if run.parent is not None:
            label = "Delete its whole group"
            if st.button(label, key=f"delete-group-{run_id}", help="All repeats over seeds and folds."):
                delete(store, [run.parent])


def lock_many(store: RunStore, runs: pd.DataFrame) -> None:
    """Draw the buttons that lock and unlock several runs. runs: their rows, with `schema.LOCKED`."""
    locked = column(runs, f"tags.{schema.LOCKED}", object).notna()
    open_, closed = runs.loc[~locked, "run_id"].tolist(), runs.loc[locked, "run_id"].tolist()
    if open_ and st.button(
        f"Lock {words.count(open_)}", key="lock-many", icon=":material/lock_open:", help=LOCK_HELP
    ):
        attempt(lambda: deletion.lock(store, open_), f"Locked {words.count(open_)}.")
    if closed and st.button(
        f"Unlock {words.count(closed)}", key="unlock-many", icon=":material/lock:", help=LOCK_HELP
    ):
        attempt(lambda: deletion.unlock(store, closed), f"Unlocked {words.count(closed)}.")


def delete_many(
    store: RunStore, runs: pd.DataFrame, groups: Mapping[str, Collection[str]] | None = None
) -> None:
    """Draw the button that deletes several runs after a confirmation; none on a read-only server.

    Args:
        runs: Their rows of `stored_runs.runs()`; empty where none is selected.
        groups: The ids of those runs that go with a group, by its name: the confirmation names the group.
    """
    if runs.empty or not may_change():
        return
    groups = groups or {}
    grouped = {run_id for run_ids in groups.values() for run_id in run_ids}
    asked = [words.plain(name) for name in runs.loc[~runs["run_id"].isin(grouped), "name"]]
    asked += [f"{words.plain(name)} ({words.count(run_ids)})" for name, run_ids in groups.items()]
    names = ", ".join(asked[:NAMED])
    more = f" and {len(asked) - NAMED:,} more" if len(asked) > NAMED else ""
    hidden = " All runs of a group go, also those that the filter hides." if groups else ""
    with st.popover(f"Delete {words.count(runs)}", icon=":material/delete:"):
        st.markdown(f"Delete for good: **{names}**{more}?{hidden} {DELETE_WORDS}")
        if st.button("Delete them", key="delete-many", type="primary"):
            delete(store, runs["run_id"].tolist())


def delete(store: RunStore, run_ids: list[str]) -> None:
    """Delete runs or groups. Where one may not be deleted, say why and delete nothing."""
    with guard.show_errors():
        found = deletion.delete(store, run_ids)
        st.toast(f"Deleted {words.count(found.run_ids)}.", icon=":material/check:")
        for place in found.left:
            st.toast(f"These files could not be removed: {words.plain(place)}", icon=":material/warning:")
        st.query_params.pop("run", None)
        if "runs" in st.query_params:
            ticked = st.query_params.get_all("runs")
            st.query_params["runs"] = [
                key for key in ticked if key.removeprefix("group-") not in found.run_ids
            ]
        stored_runs.forget_runs()
        st.rerun()


NAMED = 5  # runs named in the confirmation of a deletion
LOCK_HELP = "A locked run cannot be deleted, neither here nor on the command line."
DELETE_WORDS = "Its model, predictions, curves, checkpoint and log go too. This cannot be undone."


def again(store: RunStore, run: Run) -> None:
    """Draw the buttons that launch a run or its group again, or open the form with its settings."""
    run_id, parent = run.run_id, run.parent
    if st.button("Launch again", key=f"again-{run_id}", icon=":material/replay:"):
        attempt(lambda: launch([store.config(run_id)]), "A new run is in the queue.")
    if parent is not None and st.button(
        "Launch its group again", key=f"group-{run_id}", icon=":material/repeat:"
    ):
        attempt(lambda: launch_groups([group_of(store, parent)]), "A new group is in the queue.")
    with suppress(FileNotFoundError, ValueError):  # its files are gone or damaged
        st.page_link(
            "pages/2_Train.py",
            label="Edit and launch",
            icon=":material/tune:",
            query_params=query(store.config(run_id), stored_runs.columns()),
        )


RESUME_HELP = "It continues from its last checkpoint, or starts again where it has none."


def cancel_button(store: RunStore, run: Run) -> None:
    """Draw the button that cancels a run, while there is something to cancel."""
    if not (run.active and run.is_ours):
        return
    if run.status == schema.RUNNING and words.progress(run).get("phase") == schema.SAVED:
        return
    asked = run.cancel_requested
    label = "Cancelling" if asked else "Cancel"
    if action_button(label, key=f"cancel-{run.run_id}", icon=":material/stop_circle:", disabled=asked):
        with guard.show_errors():
            cancel(store, run.run_id)
            st.toast(f"Asked {words.plain(run.name)} to end.")
            stored_runs.forget_runs()
            st.rerun(scope="fragment")
