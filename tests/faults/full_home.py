"""`unshare -rm python -m tests.faults.full_home FOLDER`: all that writes, while the home's disk is full.

The disk is one in memory, which only processes started from here can see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.faults.full_disk import fill

WAIT_S = 300.0


def main() -> None:
    folder = Path(sys.argv[1])
    home = folder / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "none", str(home)], check=True)
    os.environ["ARCHLAB_HOME"] = str(home)

    from core.datasets import store as stored
    from core.importing.importer import import_images
    from core.importing.request import ImportRefused
    from core.jobs import imports
    from core.jobs.logs import read_log
    from core.jobs.worker import worker_of
    from core.launching.launch import launch
    from core.tracking import frames, schema
    from core.tracking.errors import Fault, fault_of
    from core.tracking.store import get_store
    from core.ui.data.import_request import keep_upload
    from tests.support.homes import SMALL
    from tests.support.processes import trainings
    from tests.support.waiting import wait_for

    photos = folder / "photos"
    for number in range(8):
        path = photos / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (99, 99, 3), dtype=np.uint8)).save(
            path
        )
    store = get_store()
    settings = store.settings
    (run_id,) = launch([SMALL.with_values({"training.epochs": 16})])
    try:
        wait_for(lambda: store.read.last_step(run_id) >= 2, WAIT_S)
        keep_full, filler = Event(), home / "filler"
        thread = Thread(target=fill_again, args=(filler, keep_full), daemon=True)
        thread.start()
        wait_for(lambda: shutil.disk_usage(home).free == 0)

        def launch_until_refused() -> None:
            while True:  # a draft that did not fit may have left room for a moment
                (other,) = launch([SMALL])
                store.request_cancel(other)

        with pytest.raises(Exception, match=r"full|No space left") as refused:
            launch_until_refused()
        assert fault_of(refused.value) is Fault.AWAY
        assert [run.run_id for run in store.active()] == [run_id]

        with pytest.raises(ImportRefused, match="No space left"):
            import_images("photos", photos, test_fraction=0.25)
        left = {path.name for path in settings.datasets.iterdir()}
        assert left <= {"digits", stored.LOCK}, left

        upload = SimpleNamespace(size=1 << 20, getbuffer=lambda: bytes(1 << 20))
        with pytest.raises(ImportRefused, match="are free"):
            keep_upload(settings, upload)
        assert not list(imports.uploads(settings).iterdir())
        with pytest.raises(OSError, match="No space left"):
            imports.start(settings, "photos", photos, False, {})
        assert not imports.jobs(settings)

        # Trained to its end, it waits for room; what it prints meanwhile is lost.
        (training,) = [one for one in trainings(run_id) if "core.training" in one.cmdline()]
        wait_for(lambda: is_waiting(training), WAIT_S)
        assert store.state(run_id).status == schema.RUNNING
        keep_full.set()
        thread.join()
        filler.unlink()
        wait_for(lambda: not store.state(run_id).active, WAIT_S)
        log = read_log(store, run_id)
        assert store.state(run_id).status == schema.FINISHED, log
        assert "bytes of this log were not written" in log
        steps = frames.histories(store, [run_id], ["loss"])["step"].tolist()
        assert steps == list(range(1, 17)), steps
        assert schema.NOT_LOGGED not in store.state(run_id).tags, store.state(run_id).tags
        for name in (schema.DATA, schema.PREDICTIONS):
            assert store.artifact(run_id, name).exists()
        assert store.models.file(run_id).exists()
        assert settings.checkpoint(run_id).exists()
        assert not list(home.rglob("*.draft"))
    finally:
        worker_of(settings).stop()
        wait_for(lambda: not worker_of(settings).is_running(), 30)


def fill_again(path: Path, stop: Event) -> None:
    """Take whatever others free, too."""
    while not stop.wait(0.02):
        fill(path)


def is_waiting(process: psutil.Process) -> bool:
    """Whether a process has computed nearly nothing for a second."""
    return process.cpu_percent(1.0) < 15


if __name__ == "__main__":
    main()
