"""Runs a job on a Ray cluster, through the Jobs API of its head, and watches it to its end.

The API is asked over HTTP, so that Ray itself is installed on the cluster alone. The machines of the cluster
see the same program folder and the same home as this one, and the tracking store under the same address.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from core.jobs.executors.environment import training_environment
from core.jobs.executors.local import GRACE_S, LOG_UPLOAD_S, RUN, Outcome
from core.system.idle import EXIT_CODE
from core.system.log_limit import LOG_KEPT, cap
from core.system.parent_watch import STARTED
from core.system.settings import PROGRAM, Settings

logger = logging.getLogger(__name__)

POLL_S = 1.0  # how often a job is looked at
ANSWER_S = 30.0
PROBE_S = 3.0  # the answer whether it is there at all: others wait meanwhile
NOT_FOUND, SERVER_ERROR = 404, 500
PENDING = "PENDING"
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")


class RayError(RuntimeError):
    """The head cannot be reached, or refused; the message says which address and why.

    code: of its answer, 0 without one.
    """

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the head was away or in trouble; else it has understood, and says no."""
        return self.code == 0 or self.code >= SERVER_ERROR


class NotTaken(RuntimeError):
    """The head could not take a job, and has none of that name: it may be offered again."""


@dataclass(frozen=True)
class Job:
    """What the head says of a job: its state in Ray's words, its exit code once it has one, and why."""

    status: str
    code: int | None
    message: str


@dataclass(frozen=True)
class Cluster:
    """The head of a cluster. address: of its dashboard, `http://host:8265`; token: that it asks for."""

    address: str
    token: str = ""

    def submit(self, job: str, command: str, environment: dict[str, str], gpus: int) -> None:
        """Have a command run. Raises RayError; the same job submitted twice is refused."""
        wanted: dict[str, Any] = {"entrypoint_num_gpus": gpus} if gpus else {"entrypoint_num_cpus": 1}
        self._ask(
            "POST",
            "/api/jobs/",
            {
                "entrypoint": command,
                "submission_id": job,
                "runtime_env": {"env_vars": environment},
                **wanted,
            },
        )

    def job(self, job: str) -> Job:
        found = self._ask("GET", f"/api/jobs/{job}")
        return Job(found["status"], found.get("driver_exit_code"), found.get("message") or "")

    def log(self, job: str) -> str:
        """All that it has printed."""
        return self._ask("GET", f"/api/jobs/{job}/logs")["logs"]

    def stop(self, job: str) -> None:
        """Ask a job to end; Ray kills it some seconds later."""
        self._ask("POST", f"/api/jobs/{job}/stop")

    def problem(self) -> str:
        """Why the head cannot be used, or nothing."""
        try:
            self._ask("GET", "/api/version", wait_s=PROBE_S)
        except RayError as error:
            return str(error)
        return ""

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, wait_s: float = ANSWER_S
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(self.address.rstrip("/") + path, method=method)
            request.add_header("Content-Type", "application/json")
            if self.token:
                request.add_header("Authorization", f"Bearer {self.token}")
            with urllib.request.urlopen(request, data, timeout=wait_s) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = " ".join(error.read().decode(errors="replace").split())[-300:]
            hint = " Set ARCHLAB_RAY_TOKEN to the token of the cluster." if error.code in (401, 403) else ""
            raise RayError(
                f"The Ray head at {self.address} refused ({error.code}): {said}{hint}", error.code
            ) from error
        except HTTPException as error:
            raise RayError(
                f"What answers at {self.address} is not the dashboard of a Ray head: {error!r}."
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            reason = getattr(reason, "strerror", None) or reason  # without its number
            raise RayError(f"The Ray head at {self.address} cannot be reached: {reason}.") from error


@dataclass(frozen=True)
class Watcher:
    """What a job is watched with.

    should_stop: asked every second; once true, the job is asked to end. should_leave: once true, it is left
    to itself. on_log: called when its log has grown. on_pending: called once when the cluster lets it wait.
    """

    should_stop: Callable[[], bool]
    should_leave: Callable[[], bool]
    on_log: Callable[[], None]
    on_pending: Callable[[], None]


def submit_training(settings: Settings, run_id: str, job: str, gpus: int) -> None:
    """Hand a training to the cluster. Raises NotTaken, and RayError for a head that says no.

    job: the id that it gets there. gpus: that it takes.
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
    """Whether an answer that was lost was a yes. Raises NotTaken where the head knows no such job."""
    try:
        cluster.job(job)
    except RayError as again:
        if again.code == NOT_FOUND:
            raise NotTaken(str(error)) from error  # else it is watched: it will be known, or forgotten


def stop_training(settings: Settings, job: str) -> None:
    """Ask a job to end that nobody will watch any more; a head that is away has lost it anyway."""
    try:
        cluster_of(settings).stop(job)
    except RayError as error:
        logger.warning("The job %s was not stopped: %s", job, error)


def watch_training(settings: Settings, job: str, log: Path, watcher: Watcher) -> Outcome | None:
    """Wait for the end of a job; None once it is left to itself.

    log: where the training writes what it prints; the cluster's machines see the same folder. A head that
    does not answer is waited for. Raises RayError when it does not know the job.
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
                    _keep_early(cluster, job, log)  # it ended before it could write there
                return Outcome(_code(found), stop_at is not None, found.code == EXIT_CODE, _first(found))
            if found.status == PENDING and not pending:
                pending = True
                watcher.on_pending()
            if stop_at is not None:
                cluster.stop(job)
        except RayError as error:
            if error.code == NOT_FOUND:
                raise RayError(
                    f"The Ray head at {cluster.address} does not know the job any more: it was started anew.",
                    NOT_FOUND,
                ) from error
            if stop_at is not None and time.monotonic() - stop_at > GRACE_S:
                return Outcome(1, stopped=True)  # whoever cancels need not wait for a head that is away
        if time.monotonic() - uploaded > LOG_UPLOAD_S and _size(log) != grown_to:
            cap(log)
            grown_to, uploaded = _size(log), time.monotonic()
            watcher.on_log()
        time.sleep(POLL_S)
    return None


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _keep_early(cluster: Cluster, job: str, log: Path) -> None:
    """Keep what Ray caught of a job that never came to write its own log."""
    try:
        text = cluster.log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{STARTED}\n{text[-LOG_KEPT:]}")
    except (RayError, OSError) as error:  # how the job has ended matters more
        logger.warning("The log of %s cannot be read: %s", job, error)


def _is_for_trainings(name: str) -> bool:
    """Whether a variable of the worker concerns its trainings; a token is none of their business."""
    return name == "KERAS_BACKEND" or (name.startswith("ARCHLAB_") and name != "ARCHLAB_RAY_TOKEN")


def _code(job: Job) -> int:
    return 0 if job.status == "SUCCEEDED" else job.code or 1


def _first(job: Job) -> str:
    """The first line of what Ray says of an end that was none of the training's own."""
    return "" if job.status == "SUCCEEDED" else job.message.strip().partition("\n")[0][:300]


def cluster_of(settings: Settings) -> Cluster:
    return Cluster(settings.ray_address, settings.ray_token)
