"""The worker: one a machine, detached from whoever started it, held single by a file lock for its life."""

from __future__ import annotations

import logging
import signal
import socket

from huey.consumer import Consumer

from core.jobs import devices
from core.jobs.daemon import Daemon
from core.jobs.groups import conclude_groups
from core.jobs.queue import RunQueue, queue_of
from core.jobs.supervise import stopping
from core.settings import Settings
from core.tracking import schema
from core.tracking.store import RunStore, get_store, home_id, is_alive

logger = logging.getLogger(__name__)

HEALTH_CHECK_S = 5.0


class _Consumer(Consumer):
    """Huey's consumer in a process that answers signals itself."""

    def _set_signal_handlers(self) -> None:
        """Leave the process' own handlers in place."""


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
        queue = queue_of(store)
        recover(store, queue)
        consumer = _Consumer(
            queue.huey,
            workers=len(devices.slots(settings.slots)),
            worker_type="thread",
            periodic=False,
            max_delay=0.25,
        )
        consumer.start()
        logger.info("The worker serves %s.", settings.home)
        while not stopping.wait(HEALTH_CHECK_S):
            consumer.check_worker_health()
            try:
                recover(store, queue)
            except Exception as error:  # a store that is busy for a while is looked at again
                logger.warning("The tracking store did not answer: %s", error)
        consumer.stop(graceful=True)


def recover(store: RunStore, queue: RunQueue) -> None:
    """Put right what a worker that died left behind.

    Runs that are RUNNING without a process end FAILED; SCHEDULED ones that the queue lost are queued again.
    In a store that several installations share, those of another one wait in its queue, not in ours.
    """
    here = home_id(store.settings)
    for run in store.active():
        owner = run.tags.get(schema.OWNER)
        if owner is None or (is_alive(owner) and not _moved(store, owner)):
            continue
        if run.status == schema.RUNNING:
            store.fail(run.run_id, "The process that trained this run died.")
        elif schema.FOREGROUND in run.tags:
            store.fail(run.run_id, "The command that launched this run died before it started.")
    waiting = set(queue.waiting())
    for run in store.active():
        lost = run.status == schema.SCHEDULED and run.run_id not in waiting
        ours = run.tags.get(schema.HOME) == here
        if lost and ours and schema.FOREGROUND not in run.tags:
            queue.put(run.run_id)
    conclude_groups(store)


def _moved(store: RunStore, owner: str) -> bool:
    """Whether a database of one machine was opened on another: whoever owned its runs there has gone."""
    return store.is_own_database and not owner.startswith(f"{socket.gethostname()}:")
