"""Runs a job as a process of its own on this machine, and watches it to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.jobs.executors.environment import training_environment
from core.system.idle import Idle
from core.system.log_limit import cap
from core.system.parent_watch import STARTED
from core.system.settings import PROGRAM, Settings

POLL_S = 0.5  # how often a job is looked at
GRACE_S = 10.0  # between asking a job to end and ending it
LOG_UPLOAD_S = 5.0
RUN = "ARCHLAB_RUN"  # names the run in the environment of its process, and of all that this starts


@dataclass(frozen=True)
class Outcome:
    """How a job's process ended: its exit code, negative for a signal, and whether it was told to end.

    idle: because it had computed nothing for as long as the settings allow. message: what a cluster says
    of an end that was not the training's own.
    """

    code: int
    stopped: bool
    idle: bool = False
    message: str = ""


def run_training(
    settings: Settings,
    run_id: str,
    log: Path,
    *,
    should_stop: Callable[[], bool],
    on_log: Callable[[], None],
    extra_environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Start the training of a run and wait for its end.

    log: everything the process prints goes there. should_stop: asked twice a second; once true, the
    process gets SIGTERM, and SIGKILL ten seconds later, with all its children. on_log: called about every
    five seconds when the log has grown. extra_environment: added to what every training gets.
    """
    environment = training_environment(settings, {RUN: run_id, **(extra_environment or {})})
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        with suppress(OSError):  # the training says what the disk lacks
            os.write(output.fileno(), f"{STARTED}\n".encode())
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
        idle = Idle(process.pid, settings.idle_minutes * 60, environment.get("CUDA_VISIBLE_DEVICES"))
        return _watch(process, log, should_stop, on_log, idle)
    finally:
        _signal_group(process, signal.SIGKILL)  # children it left, and itself when we were interrupted
        process.wait()
        end_strays(run_id)


def _watch(
    process: subprocess.Popen,
    log: Path,
    should_stop: Callable[[], bool],
    on_log: Callable[[], None],
    idle: Idle,
) -> Outcome:
    stop_at: float | None = None
    uploaded_size, uploaded_at = 0, time.monotonic()
    while True:
        try:
            return Outcome(process.wait(POLL_S), stopped=stop_at is not None, idle=idle.too_long)
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        with suppress(OSError):  # a disk that takes nothing costs lines of the log
            cap(log)
        if stop_at is None:
            if idle.look() or should_stop():
                stop_at = now
                _signal_group(process, signal.SIGTERM)
        elif now - stop_at > GRACE_S:
            _signal_group(process, signal.SIGKILL)
        if now - uploaded_at > LOG_UPLOAD_S and size(log) != uploaded_size:
            uploaded_size, uploaded_at = size(log), now
            on_log()


def size(log: Path) -> int:
    """How many bytes a log has; 0 where it is not there."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def end_strays(run_id: str) -> None:
    """Kill what a training started and left in sessions of its own."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(RUN) == run_id:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _signal_group(process: subprocess.Popen, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of it is gone already
        os.killpg(process.pid, signum)
