"""What this machine computes with, asked without TensorFlow."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

import psutil


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver numbers it; memory in MiB, use in percent."""

    index: int
    name: str
    memory_total: int
    memory_used: int
    utilisation: int


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine as they are now; none when there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return []
    fields = "index,name,memory.total,memory.used,utilization.gpu"
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return []  # a driver without a device answers with an error
    return [_gpu(line) for line in answer.stdout.splitlines() if line.strip()]


def _gpu(line: str) -> Gpu:
    index, name, *numbers = (field.strip() for field in line.split(","))
    total, used, utilisation = (int(number) if number.isdigit() else 0 for number in numbers)
    return Gpu(int(index), name, total, used, utilisation)


@cache
def gpu_count() -> int:
    return len(gpus())


def slots(wanted: int) -> list[str | None]:
    """One entry for each training that may run at once: its CUDA_VISIBLE_DEVICES, None without a GPU.

    wanted: how many; 0 for one a GPU, or one on a machine without. More slots than GPUs share them in turn.
    """
    count = gpu_count()
    return [str(slot % count) if count else None for slot in range(wanted or max(1, count))]


def summary() -> str:
    """The state of the machine in a few words, for the frame of every page."""
    memory = psutil.virtual_memory()
    used, total = (memory.total - memory.available) / 2**30, memory.total / 2**30
    cpu = f"{psutil.cpu_count()} CPU cores · {used:.1f} of {total:.0f} GiB memory in use"
    found = gpus()
    if not found:
        return f"{cpu} · no GPU"
    cards = (
        f"GPU {gpu.index} {gpu.name}: {gpu.utilisation} % busy, "
        f"{gpu.memory_used / 1024:.1f} of {gpu.memory_total / 1024:.0f} GiB"
        for gpu in found
    )
    return " · ".join([cpu, *cards])
