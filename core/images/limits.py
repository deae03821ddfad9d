"""Limits that a decoding process sets itself."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path


def limit_memory(count: int) -> None:
    """Limit the memory of this process; beyond it MemoryError is raised. Only Linux enforces it."""
    _lower(resource.RLIMIT_DATA, count)


def limit_next_image(seconds: int) -> None:
    """Have SIGXCPU end this process once it has used this many more seconds of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)


def write_no_file() -> None:
    """Forbid this process to write files; pipes still work."""
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)


def memory_used() -> int:
    """Return the peak memory of this process, in bytes on Linux.

    Not from getrusage where the kernel offers better: that one starts with the memory of the parent process.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _lower(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
