"""End a process when its parent dies: no training outlives its worker."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from threading import Thread

STARTED = "training process started"  # the first line of each attempt in a run's log
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent_pid: int) -> None:
    """Have this process killed when its parent dies.

    Linux does that by itself; elsewhere a thread polls the parent's id twice a second.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        Thread(target=_watch, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:  # it died before the watch began
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
