"""`unshare -rm python -m tests.faults.full_disk FOLDER`: a training while its store's disk fills up.

The disk is one of a few MiB in memory, which only processes started from here can see.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

FULL_S = 5.0


def main() -> None:
    folder = Path(sys.argv[1])
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)], check=True)
    os.environ["ARCHLAB_HOME"] = str(folder / "home")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{disk}/mlflow.db"

    from core.jobs.logs import read_log
    from core.jobs.worker import worker_of
    from core.launching.launch import launch
    from core.tracking import frames, schema
    from core.tracking.store import get_store
    from tests.support.homes import SMALL
    from tests.support.waiting import wait_for

    store = get_store()
    (run_id,) = launch([SMALL.with_values({"training.epochs": 40})])
    try:
        wait_for(lambda: store.read.last_step(run_id) >= 2)
        filler = disk / "filler"
        fill(filler)
        # Pages that the database has from before may take some more writes.
        wait_for(lambda: "The tracking store did not" in read_log(store, run_id))
        time.sleep(FULL_S)
        assert store.state(run_id).status == schema.RUNNING
        filler.unlink()
        wait_for(lambda: not store.state(run_id).active)
        assert store.state(run_id).status == schema.FINISHED, read_log(store, run_id)
        steps = frames.histories(store, [run_id], ["loss"])["step"].tolist()
        assert steps == list(range(1, 41)), steps
    finally:
        worker_of(store.settings).stop()
        wait_for(lambda: not worker_of(store.settings).is_running(), 30)


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


if __name__ == "__main__":
    main()
