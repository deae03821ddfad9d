"""Runs a job as a process of its own on this machine, and watches it to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.settings import PROGRAM, Settings

STARTED = "training process started"  # the first line of each attempt in a run's log
POLL_S = 0.5  # how often a job is looked at
GRACE_S = 10.0  # between asking a job to end and ending it
LOG_UPLOAD_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a job's process ended: its exit code, negative for a signal, and whether it was told to end."""

    code: int
    stopped: bool


def run_training(
    settings: Settings,
    run_id: str,
    log: Path,
    *,
    should_stop: Callable[[], bool],
    on_log: Callable[[], None],
    device: str | None = None,
) -> Outcome:
    """Start the training of a run and wait for its end.

    log: everything the process prints goes there. should_stop: asked twice a second; once true, the
    process gets SIGTERM, and SIGKILL ten seconds later, with all its children. on_log: called about every
    five seconds when the log has grown. device: value of CUDA_VISIBLE_DEVICES, None leaves it alone.
    """
    environment = {
        **os.environ,
        "ARCHLAB_HOME": str(settings.home),
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"{STARTED}\n".encode())
        output.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", "core.training", run_id, str(os.getpid())],
            cwd=PROGRAM,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _watch(process, log, should_stop, on_log)
    finally:
        _signal_group(process, signal.SIGKILL)  # children it left, and itself when we were interrupted
        process.wait()


def _watch(
    process: subprocess.Popen, log: Path, should_stop: Callable[[], bool], on_log: Callable[[], None]
) -> Outcome:
    stop_at: float | None = None
    uploaded_size, uploaded_at = 0, time.monotonic()
    while True:
        try:
            return Outcome(process.wait(POLL_S), stopped=stop_at is not None)
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if stop_at is None:
            if should_stop():
                stop_at = now
                _signal_group(process, signal.SIGTERM)
        elif now - stop_at > GRACE_S:
            _signal_group(process, signal.SIGKILL)
        if now - uploaded_at > LOG_UPLOAD_S and log.stat().st_size != uploaded_size:
            uploaded_size, uploaded_at = log.stat().st_size, now
            on_log()


def _signal_group(process: subprocess.Popen, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of it is gone already
        os.killpg(process.pid, signum)
