"""Who answers for a run: processes, told apart after their number was used again and the clock was set."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import psutil

_EXITING = 0x4  # linux/sched.h, PF_EXITING
APART_S = 0.05  # the kernel counts in hundredths of a second


def process_name(pid: int) -> str:
    """`host:pid:boot@seconds`: the seconds are those from the start of the machine to that of the process."""
    boot, seconds = _birth(psutil.Process(pid))
    return f"{socket.gethostname()}:{pid}:{boot}@{seconds:.2f}"


def this_process() -> str:
    return process_name(os.getpid())


def is_alive(owner: str) -> bool:
    """Whether the process that `process_name` named still runs. One on another host counts as alive."""
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
    """Whether the process that `process_name` named runs on this machine: what may be signalled."""
    return owner.startswith(f"{socket.gethostname()}:") and is_alive(owner)


def _is_dying(process: psutil.Process) -> bool:
    """Whether a process is dead but for its entry, or is being taken down and will do nothing more.

    The second takes Linux some hundredths of a second, in which the process still holds its locks.
    """
    if process.status() == psutil.STATUS_ZOMBIE:
        return True
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return bool(int(fields[6]) & _EXITING)
    except (OSError, ValueError, IndexError):  # another system, or gone meanwhile
        return False


def _birth(process: psutil.Process) -> tuple[str, float]:
    """Setting the clock moves both times alike, so that their difference stays."""
    return _boot(), process.create_time() - psutil.boot_time()


@cache
def _boot() -> str:
    """Tells this start of the machine from others; empty where the system has no such number."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""
