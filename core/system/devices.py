"""The processors, GPUs and memory of this machine, found without TensorFlow."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import psutil

from core.system import nvidia
from core.system.nvidia import Gpu

PROCESS_MIB = 700  # that a training process takes before it builds a model: Keras, TensorFlow, MLflow
CPU = "cpu"  # the device of a slot without a GPU
SHARED_MIB = 512  # of a GPU that the driver takes, when its memory is divided among runs
CORES = 4  # of the machine, per slot on the CPU


def gpus() -> list[Gpu]:
    """Return the NVIDIA GPUs that this process may use, with their present state; none without a driver.

    `CUDA_VISIBLE_DEVICES` selects them, as in CUDA. Of a GPU in MIG mode, its instances.
    """
    return nvidia.allowed_of(nvidia.all_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def gpus_of(device: str) -> list[Gpu]:
    """Return the GPUs of a device. device: as in `slots`; several are separated by commas."""
    return [gpu for gpu in gpus() if gpu.device in device.split(",")]


def gpu_computes(allowed: str | None) -> bool:
    """Return whether a GPU that a process may use is busy now, with any process; True where that is unknown.

    Args:
        allowed: `CUDA_VISIBLE_DEVICES` of the process; None where it is not set.
    """
    if allowed in ("", "-1") or not gpu_numbers():
        return False
    found = nvidia.allowed_of(nvidia.all_gpus(), allowed)
    return not found or any(gpu.utilisation is None or gpu.utilisation > 0 for gpu in found)


@cache
def gpu_numbers() -> list[str]:
    """Return the GPUs that may be used, as `CUDA_VISIBLE_DEVICES` names them, in PCI bus order."""
    return [gpu.device for gpu in gpus()]


@cache
def cores() -> int:
    """Return how many cores this process may use, by its affinity and the quota of its container."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return bound
    return min(bound, max(1, int(quota) // int(period))) if quota.isdigit() else bound


def slots(wanted: int) -> list[str]:
    """Return the device of each slot: the number of a GPU, or `cpu` without one.

    Args:
        wanted: how many slots; 0: one per GPU, or one for every four cores. More slots than GPUs share them.
    """
    numbers = gpu_numbers()
    if not numbers:
        return [CPU] * (wanted or cpu_slots())
    return [numbers[slot % len(numbers)] for slot in range(wanted or len(numbers))]


def cpu_slots() -> int:
    """Return how many slots the cores suffice for, at least 1."""
    return max(1, cores() // CORES)


def device_environment(device: str, shared: int) -> dict[str, str]:
    """Return the environment in which a training process sees only its device and its share of it.

    Args:
        device: as in `slots`; several are separated by commas.
        shared: how many runs the device may serve at once.
    """
    if device == CPU:
        threads = str(max(1, cores() // shared))
        found = {} if shared == 1 else {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
        return found | ({"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"} if gpu_numbers() else {})
    share = gpu_share(device, shared)
    where = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # numbered as nvidia-smi does
        "CUDA_VISIBLE_DEVICES": device,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # below a limit too, which set_memory_growth refuses
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # JAX: grow as needed instead of 75 % at once
    }
    if not share:
        return where
    total = min((gpu.memory_total for gpu in gpus_of(device)), default=0)
    fraction = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{min(1.0, share / total):.3f}"} if total else {}
    return where | fraction | {"ARCHLAB_GPU_MEMORY": str(share)}


def gpu_share(device: str, shared: int) -> int:
    """Return the MiB of each GPU that one run may take; 0: all that is free.

    `ARCHLAB_GPU_MEMORY` sets it; without that, runs that share a GPU get equal shares.

    Args:
        device: as in `slots`; several are separated by commas.
        shared: how many runs the device may serve at once.
    """
    totals = [gpu.memory_total for gpu in gpus_of(device)]
    wanted = int(os.environ.get("ARCHLAB_GPU_MEMORY") or 0)
    known = bool(totals) and all(totals)
    return wanted or (max(1, (min(totals) - SHARED_MIB) // shared) if known and shared > 1 else 0)


def free_memory(device: str | None, limit_mib: int = 0, shared: int = 1) -> int:
    """Return the bytes that a run may take now: of its GPUs, or of the machine and its container.

    Args:
        device: as in `slots`; several are separated by commas. None: the default of a process.
        limit_mib: of a run on the CPU; 0: no limit.
        shared: how many runs a GPU may serve at once.
    """
    found = gpus() if device is None else gpus_of(device)
    if device is None and "CUDA_VISIBLE_DEVICES" not in os.environ:
        found = found[:1]
    if found and all(gpu.memory_total for gpu in found):  # else the GPU shares the memory of the machine
        free = [gpu.memory_total - gpu.memory_used for gpu in found]
        share = gpu_share(",".join(gpu.device for gpu in found), shared)
        return sum(min(one, share) if share else one for one in free) << 20
    memory = psutil.virtual_memory()
    free = [memory.available, *_of_container()]
    return min([*free, max(0, limit_mib - PROCESS_MIB) << 20] if limit_mib else free)


def _of_container() -> list[int]:
    """Return the bytes that the control group of this process still allows; empty without a limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        cache = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return []
    return [int(limit) - used + int(cache.group(1) if cache else 0)] if limit.isdigit() else []


def summary() -> str:
    """Describe the state of the machine in one line, for the sidebar."""
    memory = psutil.virtual_memory()
    used, total = (memory.total - memory.available) / 2**30, memory.total / 2**30
    cpu = f"{cores()} CPU cores · {used:.1f} of {total:.0f} GiB memory in use"
    found = gpus()
    if not found:
        hidden = len(nvidia.all_gpus())
        none = f"no GPU ({hidden} hidden by CUDA_VISIBLE_DEVICES)" if hidden else "no GPU"
        return f"{cpu} · {none}"
    drivers = dict.fromkeys(f"driver {gpu.driver}" for gpu in found if gpu.driver)
    return " · ".join([cpu, *map(_card, found), *drivers])


def _card(gpu: Gpu) -> str:
    """Describe the state of one GPU."""
    busy = "use not known" if gpu.utilisation is None else f"{gpu.utilisation} % busy"
    memory = (
        f"{gpu.memory_used / 1024:.1f} of {gpu.memory_total / 1024:.0f} GiB"
        if gpu.memory_total
        else "memory not reported"
    )
    return f"GPU {gpu.number} {gpu.name}: {busy}, {memory}"
