"""The NVIDIA GPUs of this machine as `nvidia-smi` lists them, with the instances of those in MIG mode.

Formats: `nvidia-smi --help-query-gpu`, `nvidia-smi -L` and `nvidia-smi -q -x`; NVIDIA Multi-Instance GPU User
Guide. MIG instances are in the last two alone.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from xml.etree import ElementTree

FIELDS = "index,uuid,name,memory.total,memory.used,utilization.gpu,driver_version"
MIG = "mig.mode.current"  # a field that drivers before 450 do not know
TIMEOUT_S = 10.0

# "  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)"; drivers before 470 write
# MIG-GPU-<uuid>/<gpu instance>/<compute instance> in place of that UUID.
GPU_LINE = re.compile(r"^GPU (?P<index>\d+): ")
MIG_LINE = re.compile(r"^\s+MIG (?P<profile>\S+)\s+Device\s+(?P<number>\d+): \(UUID: (?P<uuid>MIG-[^)\s]+)\)")


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one instance of a GPU in MIG mode.

    index: of the GPU as the driver numbers it. memory_total, memory_used: MiB; 0 where the driver does not
    say, as on machines whose GPU shares the memory of the machine. utilisation: percent; None: not known, as
    for every MIG instance. mig: the number of the instance; None for a whole GPU.
    """

    index: int
    name: str
    memory_total: int
    memory_used: int
    utilisation: int | None
    uuid: str = ""
    driver: str = ""
    mig: int | None = None
    parent: str = ""

    @property
    def device(self) -> str:
        """What `CUDA_VISIBLE_DEVICES` calls it: CUDA knows MIG instances by UUID alone."""
        return str(self.index) if self.mig is None else self.uuid

    @property
    def number(self) -> str:
        """How it is called on screen: 0, or 0:1 for instance 1 of GPU 0."""
        return str(self.index) if self.mig is None else f"{self.index}:{self.mig}"


def all_gpus() -> list[Gpu]:
    """Every GPU of the machine and every MIG instance in place of its GPU; none without a working driver."""
    try:
        lines = _run(f"--query-gpu={FIELDS},{MIG}", "--format=csv,noheader,nounits")
    except subprocess.CalledProcessError:
        lines = _run_or_nothing(f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits")
    except (OSError, subprocess.SubprocessError):
        return []
    found, divided = parse_csv(lines)
    if not divided:
        return found
    memory = parse_xml(_run_or_nothing("-q", "-x"))
    return with_instances(found, divided, parse_list(_run_or_nothing("-L")), memory)


def problem() -> str | None:
    """Explain why NVIDIA's tool lists no GPU; None where it lists some, or is not installed."""
    if shutil.which("nvidia-smi") is None:
        return None
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi does not answer ({type(error).__name__}): restart the machine."
    output = " ".join(f"{answer.stdout} {answer.stderr}".split())
    if answer.returncode == 0 and GPU_LINE.search(answer.stdout):
        return None
    if "version mismatch" in output:
        return (
            "The NVIDIA driver was updated while its old version was loaded "
            "(driver/library version mismatch): restart the machine."
        )
    if "communicate with the NVIDIA driver" in output:
        return "The NVIDIA driver is not loaded: install it for this kernel, or restart the machine."
    if not output or "No devices" in output:
        return None
    return f"nvidia-smi lists no GPU: {output[:200]}"


def parse_csv(answer: str) -> tuple[list[Gpu], set[int]]:
    """Read the answer to `--query-gpu`, without header and units.

    Returns:
        The GPUs, and the indices of those in MIG mode.
    """
    found, divided = [], set()
    for row in csv.reader(answer.splitlines(), skipinitialspace=True):
        if len(row) < 6 or not row[0].strip().isdecimal():
            continue  # a line of warning among the GPUs
        index, uuid, name, *rest = (field.strip() for field in row)
        total, used, utilisation, driver, mode = [*rest, "", "", "", ""][:5]
        busy = int(utilisation) if utilisation.isdecimal() else None
        found.append(Gpu(int(index), name, _mebibytes(total), _mebibytes(used), busy, uuid, driver))
        if mode == "Enabled":
            divided.add(int(index))
    return found, divided


def parse_list(answer: str) -> list[tuple[int, int, str, str]]:
    """Read `nvidia-smi -L`: GPU index, own number, profile and UUID of each MIG instance."""
    found: list[tuple[int, int, str, str]] = []
    gpu = -1
    for line in answer.splitlines():
        if match := GPU_LINE.match(line):
            gpu = int(match["index"])
        elif match := MIG_LINE.match(line):
            found.append((gpu, int(match["number"]), match["profile"], match["uuid"]))
    return found


def parse_xml(answer: str) -> dict[tuple[int, int], tuple[int, int]]:
    """Read `nvidia-smi -q -x`: MiB in all and in use of each MIG instance, by GPU index and own number."""
    try:
        root = ElementTree.fromstring(answer)
    except ElementTree.ParseError:
        return {}
    found = {}
    for index, gpu in enumerate(root.iter("gpu")):
        for instance in gpu.iter("mig_device"):
            number = instance.findtext("index", "").strip()
            if number.isdecimal():
                total = _mebibytes(instance.findtext("fb_memory_usage/total", ""))
                used = _mebibytes(instance.findtext("fb_memory_usage/used", ""))
                found[index, int(number)] = total, used
    return found


def with_instances(
    gpus: list[Gpu],
    divided: set[int],
    instances: list[tuple[int, int, str, str]],
    memory: Mapping[tuple[int, int], tuple[int, int]],
) -> list[Gpu]:
    """Put MIG instances in the place of their GPUs; a GPU in MIG mode without instances is no device."""
    found = []
    for gpu in gpus:
        if gpu.index not in divided:
            found.append(gpu)
            continue
        for owner, number, profile, uuid in instances:
            if owner == gpu.index:
                total, used = memory.get((owner, number), (0, 0))
                name = f"{gpu.name} MIG {profile}"
                whole = replace(gpu, name=name, memory_total=total, memory_used=used, utilisation=None)
                found.append(replace(whole, uuid=uuid, mig=number, parent=gpu.uuid))
    return found


def allowed_of(gpus: list[Gpu], allowed: str | None) -> list[Gpu]:
    """Return the GPUs that `CUDA_VISIBLE_DEVICES` leaves, in the driver's order.

    Args:
        gpus: all of them.
        allowed: the variable; None: not set. An entry is an index, a UUID or the beginning of one. As in
            CUDA, the first entry that names nothing hides all that follow it. A GPU in MIG mode stands for
            its instances.
    """
    if allowed is None:
        return gpus
    chosen: list[Gpu] = []
    for entry in (name.strip() for name in allowed.split(",")):
        named = [gpu for gpu in gpus if _is_named(gpu, entry)]
        if not named:
            break
        chosen += named
    return [gpu for gpu in gpus if gpu in chosen]


def _is_named(gpu: Gpu, entry: str) -> bool:
    if entry.isdecimal():
        return int(entry) == gpu.index
    return entry.startswith(("GPU-", "MIG-")) and (gpu.uuid.startswith(entry) or gpu.parent.startswith(entry))


def _mebibytes(text: str) -> int:
    """`16384`, `16384 MiB`, or `[N/A]`, which is 0."""
    number = text.strip().split(" ")[0]
    return int(number) if number.isdecimal() else 0


def _run(*arguments: str) -> str:
    return subprocess.run(
        ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    ).stdout


def _run_or_nothing(*arguments: str) -> str:
    try:
        return _run(*arguments)
    except (OSError, subprocess.SubprocessError):
        return ""
