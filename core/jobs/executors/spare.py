"""A process that has imported Keras and waits, so that a training starts at once: `core.training.spare`.

It forks each training. The worker adopts the fork, so it watches and ends it like a child of its own, and the
training lives on when the spare process dies.
"""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import RLock

from core.jobs.executors.environment import RUN, training_environment
from core.system.code_version import process_version
from core.system.settings import PROGRAM, Settings

logger = logging.getLogger(__name__)

READY_S, ANSWER_S = 120.0, 20.0  # the longest import of Keras, and the longest fork
AGAIN_S = 60.0  # between a process that could not be started, or was killed, and the next one
POLL_S = 0.1
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ASKED = "spare.asked"  # a file of the home, touched when a person is about to launch
NOT_IMPORTED = ("figures", "inference", "ui")  # by a training
# Variables that Keras and TensorFlow read when they first compute, so that they may be set after the import.
LATE = {
    "ARCHLAB_GPU_MEMORY",
    RUN,
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTRAOP_THREADS",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
}


class Forked:
    """A training that a spare process forked, with the methods of `subprocess.Popen` that its watch uses."""

    def __init__(self, pid: int):
        self.pid = pid
        self._code: int | None = None
        self._descriptor = os.pidfd_open(pid)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        if self._code is None:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"training {self.pid}", timeout or 0.0)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._descriptor)
        return self._code


@dataclass
class _Process:
    """The spare process. environment, code: what it was started with. ready: Keras is imported."""

    popen: subprocess.Popen
    control: socket.socket
    environment: dict[str, str]
    code: str
    ready: bool = False

    def is_usable(self) -> bool:
        """Whether it lives and has the code that a training started now would have."""
        return self.popen.poll() is None and self.code == process_version(NOT_IMPORTED)


def ask_for_spare(settings: Settings) -> None:
    """Have the worker keep a spare process: a run is likely to be launched soon. Cheap."""
    with suppress(OSError):  # a run starts without one too
        (settings.home / ASKED).touch()


def _seconds_since_asked(settings: Settings) -> float:
    try:
        return max(0.0, time.time() - (settings.home / ASKED).stat().st_mtime)
    except OSError:
        return math.inf


class Spare:
    """The spare process of a worker. Its methods may be called from several threads.

    It is started while nothing trains, replaced after an update of the program, and ended after some minutes
    without a training.

    Args:
        settings: of this installation.
        device: variables of the device that most trainings get (`core.system.devices.device_environment`).
    """

    def __init__(self, settings: Settings, device: Mapping[str, str]):
        self._settings = settings
        self._device = device
        self._log = settings.home / "spare.log"
        self._lock = RLock()
        self._process: _Process | None = None
        self._used = time.monotonic()
        self._again_at = -math.inf  # no process is started before, because one could not be
        local = sys.platform == "linux" and settings.executor == "local"
        self._possible = local and settings.starts_ahead
        if self._possible:  # the kernel gives orphans of this process' children to it
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def keep(self, busy: bool) -> None:
        """Start the process, replace it or free its memory, as it is needed now.

        busy: A run is trained, so that no import may take its processor.
        """
        if not self._possible or not self._lock.acquire(blocking=False):
            return
        try:
            if busy:
                self._used = time.monotonic()
                return
            since_s = min(time.monotonic() - self._used, _seconds_since_asked(self._settings))
            wanted = since_s < self._settings.spare_minutes * 60
            if self._process is not None and not (wanted and self._process.is_usable()):
                if self._process.popen.poll() is not None:  # it was killed, perhaps for its memory
                    self._again_at = time.monotonic() + AGAIN_S
                self.close()
            if self._process is None and wanted:
                self._start()
        finally:
            self._lock.release()

    def fork(
        self, run_id: str, environment: Mapping[str, str], output: int, should_stop: Callable[[], bool]
    ) -> Forked | None:
        """Start the training process of a run.

        Args:
            run_id: of the run.
            environment: all variables that its process is to have.
            output: file descriptor that it prints to.
            should_stop: asked while Keras is being imported.

        Returns:
            The process; None without a spare process for this environment, or once `should_stop` says so.
        """
        if not self._possible or not _fits(self._environment(), environment):
            return None
        while not self._lock.acquire(timeout=POLL_S):  # another run waits for the import
            if should_stop():
                return None
        try:
            self._used = time.monotonic()
            found = self._process
            if found is not None and not (found.is_usable() and _fits(found.environment, environment)):
                self.close()
            process = self._process or self._start()
            if process is None or not self._is_ready(process, should_stop):
                return None
            late = {name: value for name, value in environment.items() if name in LATE}
            return self._ask(process, {"run_id": run_id, "environment": late}, output)
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process. Trainings that it forked continue."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                process.control.close()
                process.popen.kill()
                process.popen.wait()

    def _environment(self) -> dict[str, str]:
        return training_environment(self._settings, self._device)

    def _start(self) -> _Process | None:
        """Start the process. Returns None where that is not possible now."""
        if time.monotonic() < self._again_at:
            return None
        environment = self._environment()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._log.open("wb") as output:
                popen = subprocess.Popen(
                    [sys.executable, "-m", "core.training.spare", str(os.getpid())],
                    cwd=PROGRAM,
                    env=environment,
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:  # the disk, memory or descriptors; a run starts without one too
            ours.close()
            self._fail(f"was not started: {error}")
            return None
        self._process = _Process(popen, ours, environment, process_version(NOT_IMPORTED))
        return self._process

    def _fail(self, reason: str) -> None:
        """Note that the process is of no use, and start no other for a while."""
        logger.warning("The spare training process %s", reason)
        self._again_at = time.monotonic() + AGAIN_S
        self.close()

    def _is_ready(self, process: _Process, should_stop: Callable[[], bool]) -> bool:
        """Wait until Keras is imported. Returns False if it could not be, or is not wanted any more."""
        give_up = time.monotonic() + READY_S
        while not process.ready and time.monotonic() < give_up and not should_stop():
            if select.select([process.control], [], [], POLL_S)[0]:
                with suppress(ConnectionError):  # it has ended
                    process.ready = bool(process.control.recv(16))
                if not process.ready:
                    self._fail(f"ended: see {self._log}.")
                    return False
        if not process.ready and not should_stop():
            self._fail(f"imported no Keras within {READY_S:.0f} s.")
        return process.ready

    def _ask(self, process: _Process, request: dict, output: int) -> Forked | None:
        """Have the process fork. Returns None, and ends it, when it does not."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        forked, problem = None, ""
        with ours:
            ours.settimeout(ANSWER_S)
            try:
                with theirs:
                    message = json.dumps(request).encode()
                    socket.send_fds(process.control, [message], [output, theirs.fileno()])
                forked = Forked(int(ours.recv(16)))
                ours.send(b"train")
            except (OSError, ValueError) as error:  # ValueError: it died, so that the answer is empty
                problem = str(error)
        if problem:
            self._fail(f"started no training: {problem}")
            if forked is not None:
                forked.wait()  # it ends by itself: it was not told to train
            return None
        return forked


def _fits(own: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether variables differ only in what may be set after an import."""
    different = {name for name in {*own, *wanted} if own.get(name) != wanted.get(name)}
    return different <= LATE & {*wanted}
