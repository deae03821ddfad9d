"""What this machine computes with, asked without TensorFlow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

PROCESS_MIB = 700  # of its limit a training has taken before its net: Keras, TensorFlow, MLflow


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


def free_memory(device: str | None, limit_mib: int = 0) -> int:
    """Bytes that a training may still take: of a GPU, or of the machine, its container and its limit.

    device: as `slots` names it, several with commas between; None: what a process gets that was told
    nothing. limit_mib: of one training on a CPU; 0: no limit.
    """
    visible = device or os.environ.get("CUDA_VISIBLE_DEVICES") or "0"
    found = [gpu for gpu in gpus() if str(gpu.index) in visible.split(",")]
    if found:
        return sum(gpu.memory_total - gpu.memory_used for gpu in found) << 20
    memory = psutil.virtual_memory()
    free = [memory.available, *_of_container()]
    return min([*free, max(0, limit_mib - PROCESS_MIB) << 20] if limit_mib else free)


def _of_container() -> list[int]:
    """Bytes that a control group still allows this process, where one limits it."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        cache = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return []
    return [int(limit) - used + int(cache.group(1) if cache else 0)] if limit.isdigit() else []


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
