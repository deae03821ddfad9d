"""Processes that the program starts."""

from __future__ import annotations

import psutil

from core.jobs.executors.local import RUN


def trainings(run_id: str) -> list[psutil.Process]:
    """The process of a run, and all it started."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(RUN) == run_id
    ]


def training_process(run_id: str) -> int:
    (pid,) = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if run_id in (process.info["cmdline"] or [])
    ]
    return pid
