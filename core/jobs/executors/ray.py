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
from pathlib import Path
from typing import Any

from core.jobs.daemon import write_whole
from core.jobs.executors.local import LOG_KEPT, LOG_UPLOAD_S, RUN, STARTED, Outcome
from core.jobs.idle import EXIT_CODE
from core.settings import PROGRAM, Settings

logger = logging.getLogger(__name__)

POLL_S = 1.0  # how often a job is looked at
ANSWER_S = 30.0
PROBE_S = 3.0  # the answer whether it is there at all: others wait meanwhile
LOST_S = 600.0  # a head that does not answer for so long is given up, and its jobs with it
NOT_FOUND = 404
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")


class RayError(RuntimeError):
    """The head cannot be reached, or refused; the message says which address and why.

    code: of its answer, 0 without one.
    """

    def __init__(self, message: str, code: int = 0):
        super().__init__(message)
        self.code = code


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

    def status(self, job: str) -> tuple[str, int | None]:
        """The state of a job in Ray's words, and its exit code once it has one."""
        found = self._ask("GET", f"/api/jobs/{job}")
        return found["status"], found.get("driver_exit_code")

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
        request = urllib.request.Request(self.address.rstrip("/") + path, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=wait_s) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = " ".join(error.read().decode(errors="replace").split())[-300:]
            hint = " Set ARCHLAB_RAY_TOKEN to the token of the cluster." if error.code in (401, 403) else ""
            raise RayError(
                f"The Ray head at {self.address} refused ({error.code}): {said}{hint}", error.code
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            reason = getattr(reason, "strerror", None) or reason  # without its number
            raise RayError(f"The Ray head at {self.address} cannot be reached: {reason}.") from error


def run_training(
    settings: Settings,
    run_id: str,
    log: Path,
    *,
    should_stop: Callable[[], bool],
    should_leave: Callable[[], bool],
    on_log: Callable[[], None],
    job: str,
    gpus: int,
    attach: bool,
) -> Outcome | None:
    """Run a training as a job of the cluster and wait for its end; as `local.run_training` does.

    should_leave: asked every second; once true the job is left to itself and None returned. job: the id that
    it gets there. gpus: that it takes. attach: it runs already, a worker that watched it has died.
    """
    cluster = cluster_of(settings)
    if not attach:
        environment = {
            **{name: value for name, value in os.environ.items() if _is_for_trainings(name)},
            "ARCHLAB_HOME": str(settings.home),
            "MLFLOW_TRACKING_URI": settings.tracking_uri,
            "PYTHONUNBUFFERED": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            RUN: run_id,
        }
        command = shlex.join([sys.executable, "-m", "core.training", run_id, "0"])
        cluster.submit(job, f"cd {shlex.quote(str(PROGRAM))} && exec {command}", environment, gpus)
    return _watch(cluster, job, log, should_stop, should_leave, on_log)


def _is_for_trainings(name: str) -> bool:
    """Whether a variable of the worker concerns its trainings; a token is none of their business."""
    return name == "KERAS_BACKEND" or (name.startswith("ARCHLAB_") and name != "ARCHLAB_RAY_TOKEN")


def cluster_of(settings: Settings) -> Cluster:
    return Cluster(settings.ray_address, settings.ray_token)


def _watch(
    cluster: Cluster,
    job: str,
    log: Path,
    should_stop: Callable[[], bool],
    should_leave: Callable[[], bool],
    on_log: Callable[[], None],
) -> Outcome | None:
    stopped, heard, fetch_at = False, time.monotonic(), 0.0
    while not should_leave():
        try:
            status, code = cluster.status(job)
            heard = time.monotonic()
            if status in ENDED or heard > fetch_at:
                fetch_at = heard + LOG_UPLOAD_S * (1 + _fetch_log(cluster, job, log) / LOG_KEPT)
                on_log()
            if status in ENDED:
                return Outcome(_code(status, code), stopped, idle=code == EXIT_CODE)
            if not stopped and should_stop():
                cluster.stop(job)
                stopped = True
        except RayError as error:
            if error.code == NOT_FOUND:
                raise RayError(
                    f"The Ray head at {cluster.address} does not know the job any more: it was started anew.",
                    NOT_FOUND,
                ) from error
            if time.monotonic() - heard > LOST_S:
                raise
        time.sleep(POLL_S)
    return None


def _fetch_log(cluster: Cluster, job: str, log: Path) -> int:
    """Keep the end of what a job has printed; returns how much that was, for Ray gives all or nothing."""
    try:
        text = cluster.log(job)
    except RayError as error:  # how the job ends matters more
        logger.warning("The log of %s cannot be read: %s", job, error)
        return 0
    log.parent.mkdir(parents=True, exist_ok=True)
    write_whole(log, f"{STARTED}\n{text[-LOG_KEPT:]}")
    return len(text)


def _code(status: str, code: int | None) -> int:
    if status == "SUCCEEDED":
        return 0
    return code or 1
