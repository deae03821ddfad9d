"""The worker: one a machine, detached from whoever started it, held single by a file lock for its life."""

from __future__ import annotations

import logging
import signal
import socket
import time
from threading import Thread

from core.jobs.daemon import Daemon
from core.jobs.dispatcher import Dispatcher, is_left
from core.jobs.groups import conclude_groups
from core.jobs.supervise import stopping
from core.settings import Settings
from core.tracking import schema
from core.tracking.opening import home_id
from core.tracking.owners import is_alive
from core.tracking.states import RunState, is_database
from core.tracking.store import RunStore, get_store

logger = logging.getLogger(__name__)

LOOK_S, LOOK_FAR_S = 0.25, 2.0  # how often the queue is looked at: in a database, on a server
RECOVER_S = 5.0
RETRY_S = 1.0  # after the store did not answer


def worker_of(settings: Settings) -> Daemon:
    """The worker of an installation."""
    return Daemon(settings, "worker", ("-m", "core", "worker"))


def serve(settings: Settings) -> None:
    """Train what is queued until SIGTERM or SIGINT; trainings under way then end as FAILED.

    Raises DaemonExists when another worker serves this folder, NotAllowed on a read-only server.
    """
    settings.require_trainer("train")
    # Before the lock is ours: whoever holds it can be told to end.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal it was started from
    with worker_of(settings).hold():
        store = get_store()
        dispatcher = Dispatcher(store)
        dispatcher.attach()
        recover(store)
        Thread(target=lambda: store.client, daemon=True).start()  # MLflow: the first run need not wait for it
        logger.info("The worker serves %s.", settings.home)
        _dispatch(store, dispatcher)


def _dispatch(store: RunStore, dispatcher: Dispatcher) -> None:
    """Until `stopping`; trainings under way are waited for, `supervise` ends them."""
    look_s = LOOK_S if is_database(store.uri) else LOOK_FAR_S
    pause, recovered = 0.0, time.monotonic()
    while not stopping.wait(pause):
        pause = look_s
        try:
            dispatcher.step()
            if time.monotonic() - recovered > RECOVER_S:
                recovered = time.monotonic()
                recover(store)
        except Exception as error:  # a store that is busy for a while is looked at again
            logger.warning("The tracking store did not answer: %s", error)
            pause = RETRY_S
    dispatcher.join()


def recover(store: RunStore) -> None:
    """Put right what a worker or a launch that died left behind: runs without a process end FAILED."""
    for run in store.active():
        owner = run.tags.get(schema.OWNER)
        if owner is None or (is_alive(owner) and not _moved(store, owner)):
            continue
        if is_left(store, run) or _is_job_of_another(store, run):
            continue  # its job goes on, and a worker of its installation takes it over
        if run.status == schema.RUNNING:
            store.fail(run.run_id, "The process that trained this run died.")
        elif schema.FOREGROUND in run.tags:
            store.fail(run.run_id, "The command that launched this run died before it started.")
    conclude_groups(store)


def _is_job_of_another(store: RunStore, run: RunState) -> bool:
    """Whether another installation that shares the store has put a run on a cluster."""
    return schema.JOB in run.tags and run.tags.get(schema.HOME) != home_id(store.settings)


def _moved(store: RunStore, owner: str) -> bool:
    """Whether a database of one machine was opened on another: whoever owned its runs there has gone."""
    return store.is_own_database and not owner.startswith(f"{socket.gethostname()}:")
