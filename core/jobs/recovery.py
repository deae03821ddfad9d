"""Puts right what a worker or a launch that died left behind."""

from __future__ import annotations

import socket

from core.jobs.executors.local import end_strays
from core.jobs.groups import conclude_groups
from core.jobs.queue import is_own
from core.system.process_ids import is_alive, this_process
from core.tracking import schema
from core.tracking.run_state import RunState
from core.tracking.store import RunStore


def recover(store: RunStore, *, serving: bool = False) -> None:
    """End runs without a process as FAILED, and groups whose runs have ended.

    serving: this process is the worker of the home, so what another one of it had is left.
    """
    recover_runs(store, serving=serving)
    conclude_groups(store)


def recover_runs(store: RunStore, *, serving: bool = False) -> None:
    """End runs without a process as FAILED; serving: as for `recover`."""
    for run in store.active():
        if run.tags.get(schema.OWNER) is None:
            continue  # another program's
        if schema.JOB in run.tags and run.status == schema.RUNNING:
            _recover_job(store, run, serving)
        elif run.status == schema.RUNNING and schema.STARTED not in run.tags and run.cancel_requested:
            store.set_status(run.run_id, schema.KILLED)  # it was never written down as a whole
        elif not _is_left(store, run, serving):
            continue
        elif run.status == schema.RUNNING:
            end_strays(run.run_id)
            store.fail(run.run_id, "The process that trained this run died.")
        elif schema.FOREGROUND in run.tags:
            store.fail(run.run_id, "The command that launched this run died before it started.")


def _recover_job(store: RunStore, run: RunState, serving: bool) -> None:
    """A job on a cluster outlives its worker, and the next one takes it over (`Dispatcher.attach`).

    It is left alone but where its own installation asks no cluster any more, and it was cancelled.
    """
    if serving and is_own(store, run) and store.settings.executor != "ray" and run.cancel_requested:
        store.set_status(run.run_id, schema.KILLED)


def _is_left(store: RunStore, run: RunState, serving: bool) -> bool:
    """Whether nobody answers for a run any more."""
    owner = run.tags[schema.OWNER]
    if serving and is_own(store, run) and schema.STARTED in run.tags and schema.FOREGROUND not in run.tags:
        return owner != this_process()
    moved = store.is_own_database and not owner.startswith(f"{socket.gethostname()}:")
    return moved or not is_alive(owner)  # a database of one machine that was opened on another, or a death
