"""A training that no longer computes, and waits for what never comes, would keep its slot for ever."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Thread

import psutil

LOOK_S, SHARE = 30.0, 0.03  # how often it is asked, and of a core, what counts as computing
EXIT_CODE = 85  # of a training that ended itself because it was idle


class Idle:
    """Notices a training that no longer computes: one that waits for what never comes keeps its slot."""

    def __init__(self, pid: int, limit_s: float):
        self.too_long = False
        self._pid, self.limit_s = pid, limit_s
        self._used, self._looked = 0.0, time.monotonic()
        self._since = self._looked

    def look(self) -> bool:
        """Whether it, with all it started, has used next to no processor time for longer than it may."""
        now = time.monotonic()
        past = now - self._looked
        if not self.limit_s or past < min(LOOK_S, self.limit_s / 2):
            return False
        used = _processor_seconds(self._pid)
        if abs(used - self._used) > SHARE * past:  # less than before: something it started has ended
            self._since = now
        self._used, self._looked = used, now
        self.too_long = now - self._since >= self.limit_s
        return self.too_long


def _processor_seconds(pid: int) -> float:
    found = 0.0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found += sum(one.cpu_times()[:2])
    return found


def end_when_idle(limit_s: float) -> None:
    """Have this process end itself, where nobody on its machine watches it. limit_s: 0: never."""
    if limit_s:
        Thread(target=_end_when_idle, args=(Idle(os.getpid(), limit_s),), daemon=True).start()


def _end_when_idle(idle: Idle) -> None:
    while not idle.look():
        time.sleep(min(1.0, idle.limit_s / 10))
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(EXIT_CODE)
