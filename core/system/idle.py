"""Detect a training process that hangs: it would keep its slot for ever."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Thread

import psutil

from core.system.devices import gpu_computes

LOOK_S = 30.0  # between two measurements
SHARE = 0.03  # of one core: use above it counts as computing
EXIT_CODE = 85  # of a training process that ended itself because it was idle


class Idle:
    """Measure whether a training process still computes.

    A long step on a GPU takes no processor time, so a process whose GPU computes is not idle; a GPU that
    several runs share counts for each of them.

    Args:
        pid: of the process.
        limit_s: seconds without computing after which it counts as hanging; 0: never.
        devices: its `CUDA_VISIBLE_DEVICES`; None where it is not set.

    Attributes:
        too_long: it has been idle for `limit_s`.
    """

    def __init__(self, pid: int, limit_s: float, devices: str | None = None):
        self.too_long = False
        self._pid, self.limit_s, self._devices = pid, limit_s, devices
        self._used, self._looked = 0.0, time.monotonic()
        self._since = self._looked

    def look(self) -> bool:
        """Measure again and return `too_long`. Child processes count."""
        now = time.monotonic()
        past = now - self._looked
        if not self.limit_s or past < min(LOOK_S, self.limit_s / 2):
            return False
        used = _processor_seconds(self._pid)
        # a difference below 0: a child process has ended
        if abs(used - self._used) > SHARE * past or gpu_computes(self._devices):
            self._since = now
        self._used, self._looked = used, now
        self.too_long = now - self._since >= self.limit_s
        return self.too_long


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its children."""
    found = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found += sum(one.cpu_times()[:2])
    return found


def end_when_idle(limit_s: float) -> None:
    """End this process and its children once they are idle for `limit_s`; 0: never. For jobs of a cluster."""
    if limit_s:
        idle = Idle(os.getpid(), limit_s, os.environ.get("CUDA_VISIBLE_DEVICES"))
        Thread(target=_end_when_idle, args=(idle,), daemon=True).start()


def _end_when_idle(idle: Idle) -> None:
    while not idle.look():
        time.sleep(min(1.0, idle.limit_s / 10))
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(EXIT_CODE)
