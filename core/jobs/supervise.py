"""Take one run from SCHEDULED to its final state."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from threading import Event, Lock
from typing import TypeVar

from core.jobs.executors import ray
from core.jobs.executors.local import Outcome, run_training
from core.jobs.executors.spare import Spare
from core.jobs.failures import explain
from core.jobs.logs import read_log
from core.jobs.slots import CLUSTER
from core.system.devices import CPU, device_environment, free_memory
from core.system.memory import Memory
from core.system.parent_watch import STARTED
from core.system.process_ids import this_process
from core.tracking import schema
from core.tracking.patience import Attempts, patiently
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore

logger = logging.getLogger(__name__)

PERSIST_S = 60.0  # how long a process that is ending still retries to write a final state
LONGEST_PAUSE_S = 10.0  # between two tries to write a state
TRIES = 3  # to write a state that the store refuses while it accepts other writes

stopping = Event()  # set once this process is asked to end: its runs end with it, as FAILED
interrupted = Event()  # set by Ctrl-C in a foreground run, which then ends as KILLED
_claiming = Lock()

T = TypeVar("T")


def supervise(
    store: RunStore,
    run_id: str,
    device: str | None = None,
    shared: int = 1,
    *,
    attach: bool = False,
    spare: Spare | None = None,
) -> str:
    """Train a SCHEDULED run and write its final state.

    A run in any other state is not touched (it was cancelled, or another thread trains it), nor is any run
    once `stopping` is set.

    Args:
        store: of the run.
        run_id: of the run.
        device: of a slot; None: the default of this process.
        shared: how many runs the device may serve at once.
        attach: the run is RUNNING as a job of a cluster whose worker has died.
        spare: the spare training process of this process.

    Returns:
        The run's state: SCHEDULED where a cluster did not accept it, RUNNING where this process ends while
        the cluster's job continues, otherwise the final state.
    """
    if attach:
        persist(store, run_id, lambda: store.own(run_id))
    elif not persist(store, run_id, lambda: _claim(store, run_id, device)):
        return store.state(run_id).status
    free = None if device == CLUSTER else free_memory(device, store.settings.memory, shared)
    if not attach:
        store.settings.memory_file(run_id).unlink(missing_ok=True)  # of an earlier attempt
    try:
        if device == CLUSTER:
            outcome = _on_cluster(store, run_id, attach)
        else:
            outcome = _on_this_machine(store, run_id, device, shared, spare)
    except ray.NotTaken as error:
        logger.warning("The run %s keeps waiting: %s", run_id, error)
        reason = str(error)
        persist(store, run_id, lambda: _put_back(store, run_id, reason))
        return schema.SCHEDULED
    except Exception as error:  # any error: it is shown as the reason of the run's failure
        logger.exception("The run %s could not be trained.", run_id)
        reason = f"The training could not be {'followed' if attach else 'started'}: {error}"
        persist(store, run_id, lambda: store.fail(run_id, reason))
        return schema.FAILED
    except BaseException:  # a second Ctrl-C
        persist(store, run_id, lambda: store.set_status(run_id, schema.KILLED))
        raise
    if outcome is None:
        return schema.RUNNING
    _upload_log(store, run_id)
    return persist(store, run_id, lambda: _conclude(store, run_id, outcome, free))


def _on_this_machine(
    store: RunStore, run_id: str, device: str | None, shared: int, spare: Spare | None
) -> Outcome:
    return run_training(
        store.settings,
        run_id,
        store.settings.log(run_id),
        should_stop=lambda: stopping.is_set() or interrupted.is_set() or _cancel_requested(store, run_id),
        on_log=lambda: _upload_log(store, run_id),
        extra_environment=device_environment(device, shared) if device else {},
        spare=spare,
    )


def _on_cluster(store: RunStore, run_id: str, attach: bool) -> Outcome | None:
    """Train as a job of the cluster. Returns None if this process ends while the job continues."""
    settings = store.settings
    job = persist(store, run_id, lambda: store.state(run_id)).tags[schema.JOB]
    if not attach:
        gpus = 0 if store.config(run_id).training.device == CPU else settings.ray_gpus
        ray.submit_training(settings, run_id, job, gpus)
        persist(store, run_id, lambda: store.delete_tag(run_id, schema.NOT_TAKEN))
    watcher = ray.Watcher(
        should_stop=lambda: _cancel_requested(store, run_id),
        should_leave=stopping.is_set,
        on_log=lambda: _upload_log(store, run_id),
        on_pending=lambda: _say_pending(store, run_id),
    )
    try:
        return ray.watch_training(settings, job, settings.log(run_id), watcher)
    except Exception:
        ray.stop_training(settings, job)  # a FAILED run must not continue to train
        raise


def _put_back(store: RunStore, run_id: str, reason: str) -> None:
    """Return a run to its place in the queue."""
    for tag in (schema.DEVICE, schema.JOB, schema.STARTED):
        store.delete_tag(run_id, tag)
    store.set_tags(run_id, {schema.NOT_TAKEN: reason})
    ended = store.state(run_id).cancel_requested
    store.set_status(run_id, schema.KILLED if ended else schema.SCHEDULED)


def _say_pending(store: RunStore, run_id: str) -> None:
    try:
        store.set_tags(run_id, {schema.PROGRESS: json.dumps({"phase": schema.PENDING})})
    except Exception as error:  # progress is optional
        logger.warning("The tracking store did not take a tag: %s", error)


def _claim(store: RunStore, run_id: str, device: str | None) -> bool:
    """Set a SCHEDULED run RUNNING with this process as its owner. Returns False for one in another state."""
    with _claiming:
        if stopping.is_set() or store.state(run_id).status != schema.SCHEDULED:
            return False
        started = str(int(time.time() * 1000))
        where = {schema.DEVICE: device} if device else {}
        if device == CLUSTER:
            where = {schema.DEVICE: device, schema.JOB: f"archlab-{run_id}-{started}"}
        store.set_tags(run_id, {schema.OWNER: this_process(), schema.STARTED: started, **where})
        store.set_status(run_id, schema.RUNNING)
        return True


def _cancel_requested(store: RunStore, run_id: str) -> bool:
    """Return whether a run was cancelled or deleted."""
    try:
        return store.state(run_id).cancel_requested
    except UnknownRun:
        logger.warning("The run %s is no longer in the tracking store: its training is stopped.", run_id)
        return True
    except Exception as error:  # a store that is busy must not stop a run
        logger.warning("The tracking store did not answer, asking again: %s", error)
        return False


def _upload_log(store: RunStore, run_id: str) -> None:
    """Log the last lines of a run's output as an artifact."""
    try:
        store.client.log_text(run_id, read_log(store, run_id), schema.LOG)
    except Exception as error:  # the whole log is still in the job's folder
        logger.warning("The log of %s was not kept with the run: %s", run_id, error)


def persist(store: RunStore, run_id: str, write: Callable[[], T]) -> T:
    """Write a run's state until the store accepts it: a run whose final state is lost stays RUNNING for ever.

    Args:
        store: of the run.
        run_id: whose state is written.
        write: idempotent.

    Raises:
        Refused: the store accepted other writes and, in three tries, never this one.
        Exception: what `write` raised: at once when the store is not to blame, after three tries when it
            refuses (the run was deleted), and a minute after this process was asked to end: the next worker
            ends the run.
    """
    give_up_at = math.inf

    def give_up() -> bool:
        nonlocal give_up_at
        if stopping.is_set():
            give_up_at = min(give_up_at, time.monotonic() + PERSIST_S)
        return time.monotonic() > give_up_at

    return patiently(
        write,
        lambda: store.touch(run_id),
        attempts=Attempts(limit=TRIES),
        give_up=give_up,
        repeat_refused=True,
        longest_pause_s=LONGEST_PAUSE_S,
    )


def _conclude(store: RunStore, run_id: str, outcome: Outcome, free: int | None) -> str:
    state = store.state(run_id)
    if outcome.code == 0:
        store.set_status(run_id, schema.FINISHED)
        return schema.FINISHED
    if state.cancel_requested or interrupted.is_set():
        store.set_status(run_id, schema.KILLED)
        return schema.KILLED
    if outcome.idle:
        minutes = store.settings.idle_minutes
        store.fail(run_id, f"The training computed nothing for {minutes:g} minutes, so it was ended.")
        return schema.FAILED
    if outcome.stopped:
        store.fail(run_id, "The worker was stopped.")
        return schema.FAILED
    memory = Memory.read(store.settings.memory_file(run_id))
    printed = read_log(store, run_id).rpartition(STARTED)[2]
    failure = explain(outcome.code, printed, memory, free, outcome.message)
    if failure.fits:
        store.set_tags(run_id, {schema.FITS: str(failure.fits)})
    store.fail(run_id, failure.reason)
    return schema.FAILED
