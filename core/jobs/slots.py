"""Device slots of a worker: each training takes one, or as many different ones as it has devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock

from core.system import devices
from core.system.devices import CPU
from core.system.settings import Settings

AUTO = "auto"
MIG = "MIG-"  # how the UUID of an instance of a divided GPU begins
CLUSTER = "cluster"  # the device of a run that a cluster has put somewhere


class Slots:
    """What is free, shared between threads. Without a choice a training gets a GPU, where there are any."""

    def __init__(self, free: Sequence[str]):
        self._free = list(free)
        self._count = Counter(free)
        self._lock = Lock()

    @property
    def any_free(self) -> bool:
        return bool(self._free)

    def take(self, count: int = 1, wanted: str = AUTO) -> list[str] | None:
        """So many different devices, or the one that is wanted; None while these are not free."""
        with self._lock:
            fitting = [device for device in self._free if fits(device, wanted, self._count)]
            if count > 1:  # CUDA shows a process one MIG instance at most
                fitting = [device for device in fitting if not device.startswith(MIG)]
            different = list(dict.fromkeys(fitting))[:count]
            if len(different) < count:
                return None
            for device in different:
                self._free.remove(device)
            return different

    def give(self, taken: Sequence[str]) -> None:
        with self._lock:
            self._free.extend(taken)

    def serves(self, device: str, wanted: str) -> bool:
        """Whether a device, free or not, would do for a training that wants one, or `auto`."""
        return fits(device, wanted, self._count)

    def shared(self, device: str) -> int:
        """How many trainings a device may serve at once."""
        return self._count[device]


def fits(device: str, wanted: str, all_devices: Counter[str]) -> bool:
    """Whether a training that wants a device, or `auto`, may have this one."""
    return device == wanted or (wanted == AUTO and (device != CPU or set(all_devices) == {CPU}))


def slots_of(settings: Settings) -> list[str]:
    """One entry for each training that may run at once; a cluster chooses the devices itself.

    On a machine with GPUs there are some for those that ask for the CPU too.
    """
    if settings.executor == "ray":
        return [CLUSTER] * max(1, settings.slots)
    found = devices.slots(settings.slots)
    return found if CPU in found else found + [CPU] * devices.cpu_slots()


def choices(settings: Settings) -> list[str]:
    """What training.device may be here."""
    return [AUTO, CPU] if settings.executor == "ray" else [AUTO, *dict.fromkeys(slots_of(settings))]


def limit(slots: Sequence[str]) -> int:
    """How many devices one training can have at most. slots: as `slots_of` has them."""
    return len({device for device in slots if device != CPU and not device.startswith(MIG)}) or 1
