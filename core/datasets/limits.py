"""Limits that a decoding process sets itself, so that no image takes more than its share."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path


def limit_memory(count: int) -> None:
    """Let this process take no more bytes of its own; more is a MemoryError. Linux alone keeps to it."""
    _lower(resource.RLIMIT_DATA, count)


def limit_next_image(seconds: int) -> None:
    """Have this process ended by SIGXCPU once the next image has taken so many seconds of a processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)


def write_no_file() -> None:
    """Let this process write into no file; pipes stay."""
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)


def memory_used() -> int:
    """The most memory that this process ever had, in bytes on Linux.

    Not what getrusage says where the kernel tells more: that begins with the memory of the parent process.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _lower(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
