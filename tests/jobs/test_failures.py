"""Why a training ended: memory that ran out names its sizes, and the batch that would fit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from core.config import ExperimentConfig
from core.jobs.failures import explain
from core.launching.launch import train_here
from core.system.memory import Memory
from core.system.settings import from_environment
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import using

pytestmark = pytest.mark.engine

MEBI = 1 << 20


@pytest.mark.parametrize(
    ("batch_size", "free", "expected"),
    [(512, 1000, 256), (512, 500, 128), (500, 1000, 256), (64, 110, 0), (1, 10_000, 0)],
)
def test_the_batch_that_fits_is_a_smaller_power_of_two(batch_size: int, free: int, expected: int) -> None:
    """100 MiB whatever the batch, 2 an image, four fifths of what is free."""
    assert Memory(100 * MEBI, 2 * MEBI, batch_size).fitting(free * MEBI) == expected


def test_reasons() -> None:
    log = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: No such thing.\n'
    assert explain(1, log, None, 0).reason == "ValueError: No such thing."
    assert explain(3, "", None, 0).reason == "The training process ended with exit code 3."
    assert explain(-11, "", None, 0).reason == "The training process was ended by SIGSEGV."
    assert "the images of its dataset" in explain(-signal.SIGBUS, "", None, 0).reason
    small = Memory(0, MEBI, 10)
    assert "by hand" in explain(-signal.SIGKILL, "", small, 1000 * MEBI).reason
    large = Memory(100 * MEBI, MEBI, 512)
    failure = explain(-signal.SIGKILL, "", large, 500 * MEBI)
    assert failure.fits == 256
    assert failure.reason == (
        "Out of memory: batches of 512 take about 612 MiB, 500 MiB were free. A batch size of 256 would fit."
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows does not limit the memory of a process this way")
def test_memory_that_runs_out_ends_failed_with_the_sizes(tmp_path: Path, monkeypatch) -> None:
    with using(tmp_path / "home"):
        monkeypatch.setenv("ARCHLAB_MEMORY", "3500")
        assert from_environment().memory == 3500
        from core.system import settings as settings_module

        settings_module.get_settings.cache_clear()
        store: RunStore = get_store()
        config = ExperimentConfig().with_values(
            {"model.name": "conv3", "model.resize": 224, "training.batch_size": 1024, "training.epochs": 1}
        )
        run_id, state = train_here(config)
        tags = store.state(run_id).tags
        assert state == schema.FAILED
        assert tags[schema.FAILURE].startswith("Out of memory: batches of 1024 take about "), tags
        fits = int(tags[schema.FITS])
        assert 0 < fits < 1024
        few = {"data.imbalance": "at_most", "data.at_most": 8, "training.batch_size": min(fits, 16)}
        run_id, state = train_here(config.with_values(few))
        assert state == schema.FINISHED, store.read_text(run_id, schema.LOG)
