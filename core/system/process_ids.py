"""Identify processes beyond their number, which is reused: the owner of a run, the holder of a lock."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import psutil

_EXITING = 0x4  # linux/sched.h, PF_EXITING
APART_S = 0.05  # the kernel counts in hundredths of a second


def process_name(pid: int) -> str:
    """Return `host:pid:boot@seconds`; seconds from the start of the machine to that of the process.

    Setting the clock does not change them.
    """
    boot, seconds = _birth(psutil.Process(pid))
    return f"{socket.gethostname()}:{pid}:{boot}@{seconds:.2f}"


def this_process() -> str:
    """Return the `process_name` of this process."""
    return process_name(os.getpid())


def is_alive(owner: str) -> bool:
    """Return whether the process of this `process_name` still runs. One on another host counts as alive."""
    try:
        host, pid, birth = owner.rsplit(":", 2)
        boot, seconds = birth.rsplit("@", 1) if "@" in birth else ("", birth)
        named = (boot, float(seconds))
    except ValueError:
        return False
    if host != socket.gethostname():
        return True
    try:
        process = psutil.Process(int(pid))
        here = _birth(process)
        same = here[0] == named[0] and abs(here[1] - named[1]) < APART_S
        return same and not _is_dying(process)
    except psutil.NoSuchProcess:
        return False


def lives_here(owner: str) -> bool:
    """Return whether the process of this `process_name` runs on this machine, so that it may be signalled."""
    return owner.startswith(f"{socket.gethostname()}:") and is_alive(owner)


def _is_dying(process: psutil.Process) -> bool:
    """Return whether a process is a zombie or is exiting, while it may still hold its locks.

    Linux takes some hundredths of a second for the exit.
    """
    if process.status() == psutil.STATUS_ZOMBIE:
        return True
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return bool(int(fields[6]) & _EXITING)
    except (OSError, ValueError, IndexError):  # another system, or gone meanwhile
        return False


def _birth(process: psutil.Process) -> tuple[str, float]:
    """Return the id of the boot and the seconds from boot to start, which no change of the clock alters."""
    return _boot(), process.create_time() - psutil.boot_time()


@cache
def _boot() -> str:
    """Return an id of this boot of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""
