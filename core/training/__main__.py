"""`python -m core.training RUN_ID PARENT_PID`: started by the worker, and ends when that does.

A cluster starts it with 0 for the parent, and ends it itself; there it watches itself for idleness too.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from core.system.fast_keras_import import import_keras
from core.system.idle import end_when_idle
from core.system.output import print_whatever_happens
from core.system.parent_watch import STARTED, die_with_parent
from core.system.redaction import redact_output
from core.system.settings import get_settings


def limit_memory(mebibytes: int) -> None:
    """Let this process take no more memory of its own; 0: as much as there is. Not on Windows."""
    if mebibytes and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, mebibytes << 20))


def write_to(log: Path) -> None:
    """Have all that this process prints, and what it starts, in a file instead."""
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"It prints into {log}.", flush=True)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    print(STARTED, flush=True)


def import_training() -> None:
    """Import all that a training needs and that takes seconds."""
    import_keras()
    importlib.import_module("core.training.train")


def train_run(run_id: str) -> None:
    """Train and evaluate a run in this process, which does nothing else."""
    settings = get_settings()
    from core.tracking.progress import report

    report(settings, run_id, {"phase": "importing Keras"})
    import_training()
    from core.tracking.patience import patiently, retry_here
    from core.tracking.store import get_store
    from core.training.train import train_and_evaluate

    retry_here()
    limit_memory(settings.memory)

    store = patiently(get_store)
    train_and_evaluate(patiently(lambda: store.config(run_id)), store, run_id)


def main() -> None:
    run_id, parent_pid = sys.argv[1], int(sys.argv[2])
    print_whatever_happens()
    redact_output()
    if parent_pid:
        die_with_parent(parent_pid)  # before anything slow is imported
    else:
        settings = get_settings()
        write_to(settings.log(run_id))
        end_when_idle(settings.idle_minutes * 60)
    train_run(run_id)


if __name__ == "__main__":
    main()
