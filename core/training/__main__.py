"""`python -m core.training RUN_ID PARENT_PID`: started by the worker, and ends when that does.

A cluster starts it with 0 for the parent, and ends it itself; there it watches itself for idleness too.
"""

from __future__ import annotations

import sys

from core.jobs.idle import end_when_idle
from core.jobs.lifeline import die_with_parent


def limit_memory(mebibytes: int) -> None:
    """Let this process take no more memory of its own; 0: as much as there is. Not on Windows."""
    if mebibytes and sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, mebibytes << 20))


def main() -> None:
    run_id, parent_pid = sys.argv[1], int(sys.argv[2])
    if parent_pid:
        die_with_parent(parent_pid)  # before anything slow is imported
    from core.quick_start import import_keras

    import_keras()
    from core.settings import get_settings
    from core.tracking.store import get_store
    from core.training.train import train_and_evaluate

    limit_memory(get_settings().memory)
    if not parent_pid:
        end_when_idle(get_settings().idle_minutes * 60)
    store = get_store()
    train_and_evaluate(store.config(run_id), store, run_id)


if __name__ == "__main__":
    main()
