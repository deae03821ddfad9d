"""End the runs and groups that a worker or a launch left open when it died."""

from __future__ import annotations

import socket

from core.jobs.executors.local import kill_leftovers
from core.jobs.groups import conclude_groups
from core.jobs.queue import is_own
from core.system.process_ids import is_alive, this_process
from core.tracking import schema
from core.tracking.run_state import RunState
from core.tracking.store import RunStore


def recover(store: RunStore, *, serving: bool = False) -> None:
    """End runs without a process as FAILED, and groups whose runs have ended.

    Args:
        store: of the runs.
        serving: this process is the worker of the home, so no run belongs to another worker of it.
    """
    recover_runs(store, serving=serving)
    conclude_groups(store)


def recover_runs(store: RunStore, *, serving: bool = False) -> None:
    """End runs without a process as FAILED. Args: see `recover`."""
    for run in store.active():
        if run.tags.get(schema.OWNER) is None:
            continue  # of another program
        if schema.JOB in run.tags and run.status == schema.RUNNING:
            _recover_job(store, run, serving)
        elif run.status == schema.RUNNING and schema.STARTED not in run.tags and run.cancel_requested:
            store.set_status(run.run_id, schema.KILLED)  # its launch did not complete
        elif not _is_left(store, run, serving):
            continue
        elif run.status == schema.RUNNING:
            kill_leftovers(run.run_id)
            store.fail(run.run_id, "The process that trained this run died.")
        elif schema.FOREGROUND in run.tags:
            store.fail(run.run_id, "The command that launched this run died before it started.")


def _recover_job(store: RunStore, run: RunState, serving: bool) -> None:
    """End a cancelled job of a cluster if this installation no longer uses one.

    Any other job outlives its worker; the next worker takes it over (`Dispatcher.attach`).
    """
    if serving and is_own(store, run) and store.settings.executor != "ray" and run.cancel_requested:
        store.set_status(run.run_id, schema.KILLED)


def _is_left(store: RunStore, run: RunState, serving: bool) -> bool:
    """Return whether the process that is responsible for a run has died."""
    owner = run.tags[schema.OWNER]
    if serving and is_own(store, run) and schema.STARTED in run.tags and schema.FOREGROUND not in run.tags:
        return owner != this_process()
    moved = store.is_own_database and not owner.startswith(f"{socket.gethostname()}:")
    return moved or not is_alive(owner)  # moved: a database file that was copied from another machine
