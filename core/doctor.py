"""Check what the program needs: packages, folder, disk, store, GPU, cluster and worker."""

from __future__ import annotations

import importlib.metadata
import re
import shutil

from core.jobs.executors.ray_head import cluster_of
from core.jobs.worker import worker_of
from core.system import devices, gpu_check, nvidia
from core.system.settings import PROGRAM, Settings, SettingsError
from core.system.units import byte_size

Finding = tuple[str, str, bool]  # what was checked, the result, whether it is good

LOW_DISK = 2 << 30  # bytes free, below which the disk is reported as a problem


def examine(settings: Settings) -> list[Finding]:
    """Return all findings, the most serious checks first."""
    findings = [_packages(), _folder(settings)]
    if findings[-1][2]:
        findings += [_disk(settings), _store(settings)]
    findings += [("machine", devices.summary(), True), *_gpu(settings)]
    if settings.executor == "ray":
        problem = cluster_of(settings).problem()
        findings.append(("cluster", problem or f"{settings.ray_address} answers", not problem))
    running = worker_of(settings).is_running()
    findings.append(("worker", "running" if running else "not running; the next launch starts it", True))
    return findings


def _packages() -> Finding:
    """Compare the installed versions with the pins of requirements.txt."""
    wrong = []
    for line in (PROGRAM / "requirements.txt").read_text().splitlines():
        pin = re.match(r"^([\w-]+)==([\w.]+)", line)
        if pin is None:
            continue
        name, wanted = pin.groups()
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} {found}, pinned {wanted}")
    return "packages", "; ".join(wrong) or "as pinned", not wrong


def _gpu(settings: Settings) -> list[Finding]:
    """Check whether Keras uses the GPUs of the machine; no finding on a machine without."""
    if problem := nvidia.problem():
        return [("gpu", problem, False)]
    if not devices.gpus():
        return []
    problem = gpu_check.check(settings)
    return [("gpu", problem or "is seen by Keras", not problem)]


def _folder(settings: Settings) -> Finding:
    try:
        settings.check_writable()
    except SettingsError as error:
        return "folder", str(error), False
    return "folder", str(settings.home), True


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.home).free
    return "disk", f"{byte_size(free)} free", free >= LOW_DISK


def _store(settings: Settings) -> Finding:
    from core.tracking import frames
    from core.tracking.errors import shown
    from core.tracking.store import get_store

    where = shown(settings.tracking_uri)
    try:
        count = len(frames.run_ids(get_store()))
    except Exception as error:  # any error of the store is a finding
        return "store", f"{where}: {error}", False
    return "store", f"{where}: {count} runs", True
