"""Measures how fast runs would train, in a process of its own: for runs that no finished one is like."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread

from core.jobs.devices import surroundings
from core.jobs.failures import explain
from core.jobs.slots import AUTO, slots_of
from core.settings import PROGRAM, Settings
from core.tracking.store import RunStore

LONGEST_S = 1800.0
NICE = 10  # what trains now goes first


@dataclass
class Calibration:
    """How far it is; `problems` has a sentence for each run that could not be measured."""

    total: int
    done: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    running: bool = True


_lock = Lock()
_calibrations: dict[Settings, Calibration] = {}


def begin(store: RunStore, run_ids: Sequence[str]) -> Calibration:
    """Measure runs one after another, in the background; while some are measured, that is returned.

    Raises NotAllowed on a read-only server.
    """
    store.settings.require_trainer("measure a run")
    with _lock:
        found = _calibrations.get(store.settings)
        if found is None or not found.running:
            found = _calibrations[store.settings] = Calibration(len(run_ids))
            Thread(target=_work, args=(store, tuple(run_ids), found), daemon=True).start()
        return found


def state(settings: Settings) -> Calibration | None:
    """The latest of this process; None when there was none."""
    return _calibrations.get(settings)


def measure(store: RunStore, run_id: str) -> str:
    """Measure one run and keep what it told; returns what went wrong, or nothing."""
    wanted, slots = store.config(run_id).training.device, slots_of(store.settings)
    device = slots[0] if wanted == AUTO else wanted
    environment = {
        **os.environ,
        "ARCHLAB_HOME": str(store.settings.home),
        "MLFLOW_TRACKING_URI": store.uri,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **surroundings(device, max(1, slots.count(device))),
    }
    command = [sys.executable, "-m", "core.training.calibration", run_id, str(os.getpid())]
    process = subprocess.Popen(
        command,
        cwd=PROGRAM,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
    try:
        printed = process.communicate(timeout=LONGEST_S)[0]
    except subprocess.TimeoutExpired:
        return f"Measuring took longer than {LONGEST_S / 60:.0f} minutes."
    finally:
        process.kill()
        process.wait()
    return explain(process.returncode, printed, None, None).reason if process.returncode else ""


def _work(store: RunStore, run_ids: tuple[str, ...], found: Calibration) -> None:
    try:
        for run_id in run_ids:
            try:
                problem = measure(store, run_id)
            except Exception as error:  # a run that went away, a busy store: said
                problem = str(error)
            if problem:
                found.problems[run_id] = problem
            found.done += 1
    finally:
        found.running = False
