"""Processes that the program starts."""

from __future__ import annotations

import psutil

from core.jobs.executors.environment import RUN


def trainings(run_id: str) -> list[psutil.Process]:
    """The process of a run, and all it started."""
    return [
        process
        for process in psutil.process_iter(["environ", "cmdline"])
        if (process.info["environ"] or {}).get(RUN) == run_id or _trains(process, run_id)
    ]


def training_process(run_id: str) -> int:
    (pid,) = [process.pid for process in psutil.process_iter(["cmdline"]) if _trains(process, run_id)]
    return pid


def spare_process(worker: int) -> psutil.Process | None:
    """The process that waits with Keras imported, of the worker with this process id."""
    found = [one for one in psutil.Process(worker).children() if "core.training.spare" in _words(one)]
    return found[0] if found else None


def _trains(process: psutil.Process, run_id: str) -> bool:
    words = " ".join(process.info["cmdline"] or []).split()  # one that was forked has all in one word
    return "core.training" in words and run_id in words


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
