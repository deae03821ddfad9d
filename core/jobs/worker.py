"""The worker: one a machine, detached from whoever started it, held single by a file lock for its life."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from core.jobs import devices
from core.jobs.queue import RunQueue, queue_of
from core.jobs.supervise import stopping
from core.settings import PROGRAM, Settings
from core.tracking import schema
from core.tracking.store import RunStore, get_store, is_alive, process_name, this_process

logger = logging.getLogger(__name__)

HEALTH_CHECK_S = 10.0


class WorkerExists(RuntimeError):
    """Another worker serves this folder."""


def serve() -> None:
    """Train what is queued until SIGTERM or SIGINT; trainings under way then end as FAILED.

    Raises WorkerExists when another worker has the lock.
    """
    store = get_store()
    lock = FileLock(store.settings.home / "worker.lock")
    try:
        lock.acquire(timeout=2)
    except Timeout as error:
        raise WorkerExists(f"A worker already serves {store.settings.home}.") from error
    with lock:
        _owner_file(store.settings).write_text(this_process())
        queue = queue_of(store)
        recover(store, queue)
        consumer = queue.huey.create_consumer(
            workers=len(devices.slots(store.settings.slots)),
            worker_type="thread",
            periodic=False,
            max_delay=1.0,
        )
        consumer.start()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stopping.set())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal it was started from
        logger.info("The worker serves %s.", store.settings.home)
        while not stopping.wait(HEALTH_CHECK_S):
            consumer.check_worker_health()
        consumer.stop(graceful=True)


def recover(store: RunStore, queue: RunQueue) -> None:
    """Put right what a worker that died left behind.

    Runs that are RUNNING without a process end FAILED; SCHEDULED ones that the queue lost are queued again.
    """
    for run in store.active():
        owner = run.tags.get(schema.OWNER)
        if owner is None or is_alive(owner):
            continue
        if run.status == schema.RUNNING:
            store.fail(run.run_id, "The worker died while this run was training.")
        elif schema.FOREGROUND in run.tags:
            store.fail(run.run_id, "The command that launched this run died before it started.")
    waiting = set(queue.waiting())
    for run in store.active():
        if run.status == schema.SCHEDULED and run.run_id not in waiting and schema.FOREGROUND not in run.tags:
            queue.put(run.run_id)


def worker_is_running(settings: Settings) -> bool:
    """Whether a worker serves this installation, or is just starting."""
    try:
        return is_alive(_owner_file(settings).read_text())
    except FileNotFoundError:
        return False


def ensure_worker(settings: Settings) -> None:
    """Start the worker where none runs. Cheap when one does; every page calls it."""
    if worker_is_running(settings):
        return
    settings.check_writable()
    with FileLock(settings.home / "worker-start.lock"):
        if worker_is_running(settings):
            return
        process = spawn(settings, ["-m", "core", "worker"], settings.home / "worker.log")
        _owner_file(settings).write_text(process_name(process.pid))


def stop_worker(settings: Settings) -> bool:
    """Ask the worker to end; false when none runs."""
    if not worker_is_running(settings):
        return False
    os.kill(int(_owner_file(settings).read_text().rsplit(":", 2)[1]), signal.SIGTERM)
    return True


def spawn(settings: Settings, arguments: list[str], log: Path) -> subprocess.Popen:
    """Start a Python process that outlives this one; what it prints goes to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROGRAM,
            env={
                **os.environ,
                "ARCHLAB_HOME": str(settings.home),
                "MLFLOW_TRACKING_URI": settings.tracking_uri,
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _owner_file(settings: Settings) -> Path:
    return settings.home / "worker.pid"
