"""Measure how fast waiting runs would train, in a slot of the worker.

Used for runs that resemble no finished run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from core.jobs.executors.environment import training_environment
from core.jobs.executors.local import POLL_S
from core.jobs.failures import explain
from core.jobs.supervise import persist, stopping
from core.system.devices import device_environment
from core.system.settings import PROGRAM
from core.tracking import schema
from core.tracking.store import RunStore

LONGEST_S = 1800.0


def ask(store: RunStore, run_ids: Sequence[str]) -> None:
    """Request that waiting runs are measured as soon as a device is free, before other runs start there.

    Raises NotAllowed on a read-only server.
    """
    store.settings.require_trainer("measure a run")
    for run_id in run_ids:
        store.delete_tag(run_id, schema.UNMEASURED)
        store.set_tags(run_id, {schema.MEASURE: "asked"})


def measure(store: RunStore, run_id: str, device: str, shared: int) -> None:
    """Measure the speed of one run in a process of its own, and log it, or why it could not be measured.

    Nothing is logged once this process is asked to end: the next worker measures the run.

    Args:
        store: of the run.
        run_id: of a run that waits.
        device: as in `core.system.devices.slots`.
        shared: how many runs the device serves at once.
    """
    environment = training_environment(store.settings, device_environment(device, shared))
    command = [sys.executable, "-m", "core.training.speed_probe", run_id, str(os.getpid())]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(
            command, cwd=PROGRAM, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            in_time = _wait(process)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        printed = output.read()
    if stopping.is_set():
        return
    if not in_time:
        problem = f"Measuring took longer than {LONGEST_S / 60:.0f} minutes."
    else:
        problem = explain(process.returncode, printed, None, None).reason if process.returncode else ""
    if problem:
        persist(store, run_id, lambda: store.set_tags(run_id, {schema.UNMEASURED: problem}))
    persist(store, run_id, lambda: store.delete_tag(run_id, schema.MEASURE))


def _wait(process: subprocess.Popen) -> bool:
    """Wait for the probe. Returns False if it took too long or this process was asked to end."""
    give_up = time.monotonic() + LONGEST_S
    while not stopping.is_set() and time.monotonic() < give_up:
        try:
            process.wait(POLL_S)
            return True
        except subprocess.TimeoutExpired:
            continue
    return False
