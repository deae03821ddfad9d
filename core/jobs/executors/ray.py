"""Run a training as a job on a Ray cluster, and watch it until it ends.

The machines of the cluster see the same program folder and the same home as this one, and the tracking store
under the same address.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.jobs.executors.environment import RUN, training_environment
from core.jobs.executors.local import GRACE_S, LOG_UPLOAD_S, Outcome
from core.jobs.executors.ray_head import NOT_FOUND, Cluster, Job, RayError, cluster_of
from core.system.idle import EXIT_CODE
from core.system.log_limit import LOG_KEPT, cap
from core.system.parent_watch import STARTED
from core.system.settings import PROGRAM, Settings

logger = logging.getLogger(__name__)

POLL_S = 1.0  # between two requests for the status of a job
PENDING = "PENDING"
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")


class NotTaken(RuntimeError):
    """The head did not accept a job and does not know it: it may be submitted again."""


@dataclass(frozen=True)
class Watcher:
    """The callbacks of `watch_training`.

    Args:
        should_stop: called every second; once it returns True, the job is stopped.
        should_leave: called every second; once it returns True, the job is no longer watched.
        on_log: called when the log has grown.
        on_pending: called once if the job waits for resources of the cluster.
    """

    should_stop: Callable[[], bool]
    should_leave: Callable[[], bool]
    on_log: Callable[[], None]
    on_pending: Callable[[], None]


def submit_training(settings: Settings, run_id: str, job: str, gpus: int) -> None:
    """Submit a training to the cluster.

    Args:
        settings: of this installation.
        run_id: of a run in the store.
        job: the id of the job to be.
        gpus: of the cluster, that it needs; 0: one CPU.

    Raises:
        NotTaken: the head could not be reached and does not know the job.
        RayError: the head refused the job.
    """
    cluster = cluster_of(settings)
    inherited = {name: value for name, value in os.environ.items() if _is_for_trainings(name)}
    environment = training_environment(settings, {RUN: run_id}, inherited=inherited)
    command = shlex.join([sys.executable, "-m", "core.training", run_id, "0"])
    try:
        cluster.submit(job, f"cd {shlex.quote(str(PROGRAM))} && exec {command}", environment, gpus)
    except RayError as error:
        if not error.may_pass:
            raise
        _require_taken(cluster, job, error)


def _require_taken(cluster: Cluster, job: str, error: RayError) -> None:
    """Check whether a submission whose answer was lost was accepted. Raises NotTaken where it was not."""
    try:
        cluster.job(job)
    except RayError as again:
        if again.code == NOT_FOUND:
            raise NotTaken(str(error)) from error  # any other error: `watch_training` will find out


def stop_training(settings: Settings, job: str) -> None:
    """Stop a job that is no longer watched. Errors are only logged: a head that is away has lost the job."""
    try:
        cluster_of(settings).stop(job)
    except RayError as error:
        logger.warning("The job %s was not stopped: %s", job, error)


def watch_training(settings: Settings, job: str, log: Path, watcher: Watcher) -> Outcome | None:
    """Wait until a job has ended. A head that does not answer is asked again.

    Args:
        settings: of this installation.
        job: id of the job.
        log: file that the training prints to, in a folder that the cluster's machines see too.
        watcher: callbacks.

    Returns:
        How it ended; None once `watcher.should_leave` returned True.

    Raises:
        RayError: the head does not know the job.
    """
    cluster, before = cluster_of(settings), _size(log)
    grown_to, uploaded, pending = before, time.monotonic(), False
    stop_at: float | None = None
    while not watcher.should_leave():
        if stop_at is None and watcher.should_stop():
            stop_at = time.monotonic()
        try:
            found = cluster.job(job)
            if found.status in ENDED:
                if _size(log) == before:
                    _keep_printed(cluster, job, log)  # it ended before it wrote its own log
                return Outcome(_code(found), stop_at is not None, found.code == EXIT_CODE, _first(found))
            if found.status == PENDING and not pending:
                pending = True
                watcher.on_pending()
            if stop_at is not None:
                cluster.stop(job)
        except RayError as error:
            if error.code == NOT_FOUND:
                raise RayError(
                    f"The Ray head at {cluster.address} does not know the job any more: it was restarted.",
                    NOT_FOUND,
                ) from error
            if stop_at is not None and time.monotonic() - stop_at > GRACE_S:
                return Outcome(1, stopped=True)  # cancelling need not wait for a head that is away
        if time.monotonic() - uploaded > LOG_UPLOAD_S and _size(log) != grown_to:
            cap(log)
            grown_to, uploaded = _size(log), time.monotonic()
            watcher.on_log()
        time.sleep(POLL_S)
    return None


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _keep_printed(cluster: Cluster, job: str, log: Path) -> None:
    """Append to the log what Ray caught of a job that ended before it wrote its own log."""
    try:
        text = cluster.log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{STARTED}\n{text[-LOG_KEPT:]}")
    except (RayError, OSError) as error:  # the outcome of the job is reported without it
        logger.warning("The log of %s cannot be read: %s", job, error)


def _is_for_trainings(name: str) -> bool:
    """Return whether a training inherits a variable of the worker; never the token of the cluster."""
    return name == "KERAS_BACKEND" or (name.startswith("ARCHLAB_") and name != "ARCHLAB_RAY_TOKEN")


def _code(job: Job) -> int:
    return 0 if job.status == "SUCCEEDED" else job.code or 1


def _first(job: Job) -> str:
    """Return the first line of Ray's reason for a failed job; empty for one that succeeded."""
    return "" if job.status == "SUCCEEDED" else job.message.strip().partition("\n")[0][:300]
