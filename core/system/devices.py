"""What this machine computes with, asked without TensorFlow."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import psutil

from core.system import nvidia
from core.system.nvidia import Gpu

PROCESS_MIB = 700  # of its limit a training has taken before its net: Keras, TensorFlow, MLflow
CPU = "cpu"  # a device beside the numbers of the GPUs
SHARED_MIB = 512  # of a GPU, that nobody's share is taken from: the driver's own
CORES = 4  # of the machine's, that a training on the CPU makes good use of


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs that this process may use, as they are now; none when there is no driver.

    `CUDA_VISIBLE_DEVICES` says which, as it does to CUDA itself. A GPU in MIG mode is its instances.
    """
    return nvidia.allowed_of(nvidia.all_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def gpus_of(device: str) -> list[Gpu]:
    """The GPUs that a device stands for. device: as `slots` names it, several with commas between."""
    return [gpu for gpu in gpus() if gpu.device in device.split(",")]


def gpu_computes(allowed: str | None) -> bool:
    """Whether a GPU that a process may use computes now, for whichever process; True where it cannot be told.

    Args:
        allowed: `CUDA_VISIBLE_DEVICES` of the process; None where it is not set.
    """
    if allowed in ("", "-1") or not gpu_numbers():
        return False
    found = nvidia.allowed_of(nvidia.all_gpus(), allowed)
    return not found or any(gpu.utilisation is None or gpu.utilisation > 0 for gpu in found)


@cache
def gpu_numbers() -> list[str]:
    """What `CUDA_VISIBLE_DEVICES` calls the GPUs that may be used, in the order of the bus."""
    return [gpu.device for gpu in gpus()]


@cache
def cores() -> int:
    """Processor cores that this process may use: those it is bound to, and no more than its container has."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return bound
    return min(bound, max(1, int(quota) // int(period))) if quota.isdigit() else bound


def slots(wanted: int) -> list[str]:
    """One entry for each training that may run at once: the number of a GPU, or `cpu` without one.

    wanted: how many; 0 for one a GPU, or one for every four cores. More slots than GPUs share them in turn.
    """
    numbers = gpu_numbers()
    if not numbers:
        return [CPU] * (wanted or cpu_slots())
    return [numbers[slot % len(numbers)] for slot in range(wanted or len(numbers))]


def cpu_slots() -> int:
    return max(1, cores() // CORES)


def device_environment(device: str, shared: int) -> dict[str, str]:
    """The environment in which a training sees its device alone, and its share of that.

    device: as `slots` names it, several with commas between. shared: how many trainings it may serve at once.
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
    """MiB of each GPU that one of the trainings on it may take; 0: whatever is free.

    `ARCHLAB_GPU_MEMORY` says so, else those that share a GPU get equal parts.
    """
    totals = [gpu.memory_total for gpu in gpus_of(device)]
    said = int(os.environ.get("ARCHLAB_GPU_MEMORY") or 0)
    known = bool(totals) and all(totals)
    return said or (max(1, (min(totals) - SHARED_MIB) // shared) if known and shared > 1 else 0)


def free_memory(device: str | None, limit_mib: int = 0, shared: int = 1) -> int:
    """Bytes that a training may still take: of a GPU, or of the machine, its container and its limit.

    device: as `slots` names it, several with commas between; None: what a process gets that was told
    nothing. limit_mib: of one training on a CPU; 0: no limit. shared: how many trainings a GPU may serve at
    once.
    """
    found = gpus() if device is None else gpus_of(device)
    if device is None and "CUDA_VISIBLE_DEVICES" not in os.environ:
        found = found[:1]
    if found and all(gpu.memory_total for gpu in found):  # else it is a part of the machine's own
        free = [gpu.memory_total - gpu.memory_used for gpu in found]
        share = gpu_share(",".join(gpu.device for gpu in found), shared)
        return sum(min(one, share) if share else one for one in free) << 20
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
    cpu = f"{cores()} CPU cores · {used:.1f} of {total:.0f} GiB memory in use"
    found = gpus()
    if not found:
        hidden = len(nvidia.all_gpus())
        none = f"no GPU ({hidden} hidden by CUDA_VISIBLE_DEVICES)" if hidden else "no GPU"
        return f"{cpu} · {none}"
    drivers = dict.fromkeys(f"driver {gpu.driver}" for gpu in found if gpu.driver)
    return " · ".join([cpu, *map(_card, found), *drivers])


def _card(gpu: Gpu) -> str:
    """One GPU in a few words."""
    busy = "use not known" if gpu.utilisation is None else f"{gpu.utilisation} % busy"
    memory = (
        f"{gpu.memory_used / 1024:.1f} of {gpu.memory_total / 1024:.0f} GiB"
        if gpu.memory_total
        else "memory not reported"
    )
    return f"GPU {gpu.number} {gpu.name}: {busy}, {memory}"
