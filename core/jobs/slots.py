"""The device slots of a worker: a run takes one, or one on each of its devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock

from core.system import devices
from core.system.devices import CPU
from core.system.settings import Settings

AUTO = "auto"
MIG = "MIG-"  # prefix of the UUID of a MIG instance
CLUSTER = "cluster"  # the device of a run that trains on a cluster


class Slots:
    """The free slots; safe to share between threads. `auto` takes a GPU where the machine has one."""

    def __init__(self, free: Sequence[str]):
        self._free = list(free)
        self._count = Counter(free)
        self._lock = Lock()

    @property
    def any_free(self) -> bool:
        return bool(self._free)

    def take(self, count: int = 1, wanted: str = AUTO) -> list[str] | None:
        """Take `count` different devices, or the wanted one. Returns None while they are not free."""
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
        """Free slots again."""
        with self._lock:
            self._free.extend(taken)

    def serves(self, device: str, wanted: str) -> bool:
        """Return whether a device, free or not, suits a run that wants a device, or `auto`."""
        return fits(device, wanted, self._count)

    def shared(self, device: str) -> int:
        """Return how many runs a device may serve at once."""
        return self._count[device]


def fits(device: str, wanted: str, all_devices: Counter[str]) -> bool:
    """Return whether a run that wants a device, or `auto`, may take this one."""
    return device == wanted or (wanted == AUTO and (device != CPU or set(all_devices) == {CPU}))


def slots_of(settings: Settings) -> list[str]:
    """Return the device of each slot. A cluster chooses the devices itself.

    A machine with GPUs has CPU slots too, for runs that ask for the CPU.
    """
    if settings.executor == "ray":
        return [CLUSTER] * max(1, settings.slots)
    found = devices.slots(settings.slots)
    return found if CPU in found else found + [CPU] * devices.cpu_slots()


def device_options(settings: Settings) -> list[str]:
    """Return the values that `training.device` may have on this installation."""
    return [AUTO, CPU] if settings.executor == "ray" else [AUTO, *dict.fromkeys(slots_of(settings))]


def limit(slots: Sequence[str]) -> int:
    """Return how many devices one run can use at most. slots: from `slots_of`."""
    return len({device for device in slots if device != CPU and not device.startswith(MIG)}) or 1
