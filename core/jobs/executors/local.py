"""Run a training in a process of its own on this machine, and watch it until it ends."""

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
from typing import IO

import psutil

from core.jobs.executors.environment import RUN, training_environment
from core.jobs.executors.spare import Forked, Spare
from core.system.idle import Idle
from core.system.log_limit import cap
from core.system.parent_watch import STARTED
from core.system.settings import PROGRAM, Settings

POLL_S = 0.5  # between two checks of a process
GRACE_S = 10.0  # between SIGTERM and SIGKILL
LOG_UPLOAD_S = 5.0
REAP_S = 2.0  # for killed processes to be gone


@dataclass(frozen=True)
class Outcome:
    """How a training process ended.

    Args:
        code: exit code, negative for a signal.
        stopped: it was asked to end.
        idle: it was ended because it computed nothing for as long as the settings allow.
        message: the cluster's reason, where it ended the job.
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
    spare: Spare | None = None,
) -> Outcome:
    """Start the training process of a run and wait until it has ended.

    Args:
        settings: of this installation.
        run_id: of a run in the store.
        log: file that the process prints to.
        should_stop: called twice a second; once it returns True, the process and its children get SIGTERM,
            and ten seconds later SIGKILL.
        on_log: called about every five seconds if the log has grown.
        extra_environment: added to the environment that every training process gets.
        spare: starts the process sooner, where it can.
    """
    environment = training_environment(settings, {RUN: run_id, **(extra_environment or {})})
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        with suppress(OSError):  # the training process reports a full disk
            os.write(output.fileno(), f"{STARTED}\n".encode())
        forked = spare and spare.fork(run_id, environment, output.fileno(), should_stop)
        process = forked or _started(run_id, environment, output)
    try:
        idle = Idle(process.pid, settings.idle_minutes * 60, environment.get("CUDA_VISIBLE_DEVICES"))
        return _watch(process, log, should_stop, on_log, idle)
    finally:
        _signal_group(process, signal.SIGKILL)  # its children, and itself if this process was interrupted
        process.wait()
        _reap(-process.pid)
        kill_leftovers(run_id)


def _started(run_id: str, environment: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "core.training", run_id, str(os.getpid())],
        cwd=PROGRAM,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _watch(
    process: subprocess.Popen | Forked,
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
        with suppress(OSError):  # a full disk only costs lines of the log
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
    """Return the bytes of a log; 0 for a missing one."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def kill_leftovers(run_id: str) -> None:
    """Kill processes of a run in sessions of their own, which no signal to its process group reaches."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(RUN) == run_id:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            _reap(process.pid)


def _reap(pid: int) -> None:
    """Take note of the end of killed processes that this process has adopted. pid: as for `os.waitpid`."""
    give_up = time.monotonic() + REAP_S
    with suppress(ChildProcessError):  # there are none
        while time.monotonic() < give_up:
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                time.sleep(0.01)


def _signal_group(process: subprocess.Popen | Forked, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended already
        os.killpg(process.pid, signum)
