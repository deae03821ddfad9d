"""A training is idle when neither a processor nor its GPU computes for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.system import devices
from core.system.idle import Idle
from tests.support.waiting import wait_for

LIMIT_S = 0.3


@pytest.fixture
def waiting() -> Iterator[int]:
    """A process that computes nothing, as one that waits for a long step on a GPU."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The use of two GPUs as a driver's tool prints it, from a file that holds both lines."""
    answer = tmp_path / "answer"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nexec cat {answer}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    use(answer, "0", "0")
    devices.gpu_numbers.cache_clear()
    yield answer
    devices.gpu_numbers.cache_clear()


def use(answer: Path, first: str, second: str) -> None:
    answer.write_text(f"0, GPU-a, Card, 8000, 10, {first}\n1, GPU-b, Card, 8000, 10, {second}\n")


def looks(idle: Idle, count: int) -> None:
    """Let it look again until it has counted so many times that a GPU computed or not."""
    for _ in range(count):
        before = idle._looked
        wait_for(lambda before=before: idle.look() or idle._looked > before, 30)


def test_a_training_whose_gpu_computes_is_not_idle(waiting: int, gpus: Path) -> None:
    use(gpus, "0", "97")
    idle = Idle(waiting, LIMIT_S, "1")
    looks(idle, 5)  # more than twice the limit
    assert not idle.too_long
    use(gpus, "0", "0")
    wait_for(idle.look, 30)  # now nothing computes for it
    assert idle.too_long


def test_another_gpu_does_not_count(waiting: int, gpus: Path) -> None:
    use(gpus, "97", "0")
    wait_for(Idle(waiting, LIMIT_S, "1").look, 30)
    wait_for(Idle(waiting, LIMIT_S, "-1").look, 30)  # a training on the CPU


@pytest.mark.parametrize("told", ["[N/A]", "[Not Supported]"])
def test_where_the_driver_does_not_tell_nobody_is_ended(waiting: int, gpus: Path, told: str) -> None:
    assert devices.gpu_numbers() == ["0", "1"]
    use(gpus, told, told)
    idle = Idle(waiting, LIMIT_S, "0")
    looks(idle, 5)
    assert not idle.too_long
    gpus.unlink()  # an answer that fails says nothing either
    looks(idle, 5)
    assert not idle.too_long
