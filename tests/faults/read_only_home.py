"""`unshare -rm python -m tests.faults.read_only_home FOLDER`: a training whose home is read-only.

A read-only view of the home is mounted over it, which only processes started from here can see: whatever is
opened meanwhile cannot be written, as on a disk that the kernel made read-only after an error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

READ_ONLY_S = 40.0 if os.environ.get("ARCHLAB_FAULTS") else 8.0
WAIT_S = 300.0


def main() -> None:
    folder = Path(sys.argv[1])
    home = folder / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(home)], check=True)
    os.environ["ARCHLAB_HOME"] = str(home)

    from core.jobs.worker import worker_of
    from core.launching.launch import launch
    from core.tracking import frames, schema
    from core.tracking.store import get_store
    from tests.support.homes import SMALL
    from tests.support.waiting import wait_for

    store = get_store()
    epochs = 16
    (run_id,) = launch([SMALL.with_values({"training.epochs": epochs})])
    try:
        wait_for(lambda: store.read.last_step(run_id) >= 2, WAIT_S)
        subprocess.run(["mount", "--bind", str(home), str(home)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(home)], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (home / "file").write_text("")
        give_up = time.monotonic() + READ_ONLY_S
        while time.monotonic() < give_up:  # whoever asks meanwhile opens connections that cannot write
            with pytest.raises(Exception, match=r"readonly|[Rr]ead-only"):
                launch([SMALL])
            time.sleep(1)
        subprocess.run(["umount", str(home)], check=True)
        wait_for(lambda: not store.state(run_id).active, WAIT_S)
        assert store.state(run_id).status == schema.FINISHED, (home / "jobs" / run_id / "log.txt").read_text()
        steps = frames.histories(store, [run_id], ["loss"])["step"].tolist()
        assert steps == list(range(1, epochs + 1)), steps
        assert store.models.file(run_id).exists()
        assert schema.NOT_LOGGED not in store.state(run_id).tags, store.state(run_id).tags
        (other,) = launch([SMALL])  # the same process, with connections from before and from meanwhile
        wait_for(lambda: not store.state(other).active, WAIT_S)
        assert store.state(other).status == schema.FINISHED
    finally:
        worker_of(store.settings).stop()
        wait_for(lambda: not worker_of(store.settings).is_running(), 30)


if __name__ == "__main__":
    main()
