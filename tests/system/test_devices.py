"""Which GPUs and cores may be used, and what trains on which of several GPUs."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from core.jobs.worker import WorkerSettings
from core.launching.launch import launch
from core.system import devices
from core.system.settings import get_settings
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.homes import SMALL
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine

LONG = SMALL.with_values({"training.epochs": 100_000})


def test_cores_are_those_that_this_process_is_bound_to() -> None:
    before = os.sched_getaffinity(0)
    devices.cores.cache_clear()
    try:
        os.sched_setaffinity(0, {min(before)})
        assert devices.cores() == 1
    finally:
        os.sched_setaffinity(0, before)
        devices.cores.cache_clear()
    assert 1 <= devices.cores() <= (psutil.cpu_count() or 1)


@pytest.fixture
def two_gpus(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A driver that names two GPUs; what trains on them has the CPU."""
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\nprintf '0, GPU-a, Card, 8000, 0, 0\\n1, GPU-b, Card, 8000, 0, 0\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("ARCHLAB_SLOTS", "0")
    get_settings.cache_clear()
    devices.gpu_numbers.cache_clear()
    yield store
    devices.gpu_numbers.cache_clear()


def test_each_gpu_trains_one_and_the_cpu_does_not_wait_for_them(two_gpus: RunStore) -> None:
    store = two_gpus
    assert set(WorkerSettings.of(get_settings()).slots) == {"0", "1", "cpu"}
    on_cpu = LONG.with_values({"training.device": "cpu"})
    first, second, third, fourth = launch([LONG, LONG, LONG, on_cpu])
    running = (first, second, fourth)
    wait_for(lambda: all(store.state(run_id).status == schema.RUNNING for run_id in running))
    assert [store.state(run_id).tags[schema.DEVICE] for run_id in running] == ["0", "1", "cpu"]
    assert store.state(third).status == schema.SCHEDULED
    seen = {run_id: environment_of(run_id).get("CUDA_VISIBLE_DEVICES") for run_id in running}
    assert list(seen.values()) == ["0", "1", "-1"]


def environment_of(run_id: str) -> dict[str, str]:
    """Of the process that trains a run."""
    found: list[dict[str, str]] = []

    def look() -> bool:
        found[:] = [
            process.info["environ"]
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get("ARCHLAB_RUN") == run_id
        ]
        return bool(found)

    wait_for(look)
    return found[0]
