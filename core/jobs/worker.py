"""The worker: one detached process per home, which trains the queued runs. A file lock keeps it single."""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

from core.jobs.dispatcher import Dispatcher
from core.jobs.recovery import recover, recover_runs
from core.jobs.slots import slots_of
from core.jobs.supervise import stopping
from core.system.code_version import process_version
from core.system.daemon import Daemon
from core.system.files import read_state, write_whole
from core.system.gpu_check import check_if_unknown
from core.system.records import from_json_values
from core.system.settings import Settings
from core.tracking.errors import StoreError, fault_of, is_away
from core.tracking.patience import be_impatient
from core.tracking.store import RunStore, get_store

logger = logging.getLogger(__name__)

LOOK_S, LOOK_FAR_S = 0.25, 2.0  # between two reads of the queue: from a database, from a server
RECOVER_S = 5.0
RETRY_S = 1.0  # pause after the store did not answer


def worker_of(settings: Settings) -> Daemon:
    """Return the worker of an installation."""
    return Daemon(settings, "worker", ("-m", "core", "worker"))


def worker_code() -> str:
    """The version of the code that a worker started now would run."""
    return process_version(NOT_IMPORTED)


NOT_IMPORTED = (
    "figures",
    "inference",
    "onnx_form",
    "training",
    "ui",
)  # by the worker; a run trains in a new process


def serve(settings: Settings) -> None:
    """Train queued runs until SIGTERM or SIGINT, which end the running ones as FAILED.

    Raises:
        DaemonExists: another worker serves this home.
        NotAllowed: this server is read-only.
    """
    settings.require_trainer("train")
    be_impatient()
    daemon = worker_of(settings)

    def stop(*_: object) -> None:
        stopping.set()
        daemon.announce_end()

    # Before the lock is acquired: this process may be stopped while it waits for its predecessor.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal it was started from
    with daemon.hold():
        if stopping.is_set():
            return
        store = _opened()
        if store is None:
            return
        Thread(target=_import_mlflow, args=(store,), daemon=True).start()
        Thread(target=check_if_unknown, args=(settings,), name="gpu-check", daemon=True).start()
        served = WorkerSettings.of(settings)
        served.write(settings)
        logger.info("The worker serves %s.", settings.home)
        _dispatch(store, Dispatcher(store), CodeWatch(served.code))
        if not stopping.is_set():
            logger.info("The program was updated: the next worker takes over.")
            daemon.announce_end()
            daemon.ensure()


def _opened() -> RunStore | None:
    """Open the store, retrying while it is away. Returns None once `stopping` is set."""
    while not stopping.is_set():
        try:
            return get_store()
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning("%s", error)
            stopping.wait(RETRY_S)
    return None


def _import_mlflow(store: RunStore) -> None:
    """Import MLflow ahead, so that the first run need not wait for it."""
    with suppress(StoreError):  # the store is away again
        _ = store.client


class CodeWatch:
    """Tells whether the program was updated since a process started. code: what that was started with."""

    def __init__(self, code: str):
        self._own = self._seen = code

    def is_outdated(self) -> bool:
        """Whether two calls in a row found the same new code; while files are being replaced they do not."""
        before, self._seen = self._seen, worker_code()
        return self._seen == before != self._own


def _dispatch(store: RunStore, dispatcher: Dispatcher, watch: CodeWatch) -> None:
    """Start queued runs until `stopping`, or until the program was updated and no run trains.

    Waits for trainings to end; after `stopping` `supervise` ends them. Nothing slow is done between two looks
    at the queue: the other duties of a worker have threads of their own.
    """
    look_s = LOOK_S if store.read.quick else LOOK_FAR_S
    pause, attached, recovered, outdated = 0.0, -math.inf, False, False
    leaving = Event()
    recovery = Thread(target=_keep_recovering, args=(store, leaving), name="recovery", daemon=True)
    while not stopping.wait(pause):
        pause = look_s
        try:
            if time.monotonic() - attached > RECOVER_S:
                dispatcher.attach()  # before any run starts: the jobs that it takes over have slots
                attached = time.monotonic()
                outdated = watch.is_outdated()
            if not recovered:
                recover_runs(store, serving=True)  # before any run starts: leftovers keep devices
                recovered = True
                recovery.start()
            if outdated and not dispatcher.is_busy():
                break
            dispatcher.step()
        except Exception as error:
            _log(error)
            pause = RETRY_S
    dispatcher.join()
    leaving.set()
    if recovery.is_alive() and not stopping.is_set():  # it would take runs of the next worker for left behind
        recovery.join()


def _keep_recovering(store: RunStore, leaving: Event) -> None:
    """Recover every few seconds what other processes left, and end groups whose runs have ended."""
    while True:
        try:
            recover(store, serving=True)
        except Exception as error:
            _log(error)
        if leaving.wait(RECOVER_S):
            return


def _log(error: Exception) -> None:
    """Log an error of a loop that continues, with a traceback unless the store is to blame."""
    if fault_of(error) is None:
        logger.exception("The worker met an error of its own and continues.", exc_info=error)
    else:
        logger.warning("The tracking store failed, and is asked again: %s", error)


@dataclass(frozen=True)
class WorkerSettings:
    """The settings that a worker was started with, which may differ from those of another process."""

    executor: str
    slots: tuple[str, ...]
    code: str = ""  # empty: a version of the program that wrote none down

    @classmethod
    def of(cls, settings: Settings) -> WorkerSettings:
        """What a worker would be started with now."""
        return cls(settings.executor, tuple(slots_of(settings)), worker_code())

    @classmethod
    def by_worker(cls, settings: Settings) -> WorkerSettings:
        """Return what the running worker was started with; without one, what it would be started with."""
        file = settings.home / "worker.json"
        if not file.exists() or not worker_of(settings).is_running():
            return cls.of(settings)
        try:
            return from_json_values(cls, read_state(file))
        except ValueError:
            return cls.of(settings)

    def write(self, settings: Settings) -> None:
        write_whole(settings.home / "worker.json", json.dumps(vars(self)))
