"""Device slots of a worker: each training takes one, or as many different ones as it has devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition, Lock

from core.jobs import devices

LOOK_S = 1.0  # how often one that waits looks whether it still should

Device = str | None


class Slots:
    """What is free, shared between threads. Who came first takes first: nobody starves for want of two."""

    def __init__(self, free: Sequence[Device]):
        self._free = list(free)
        self._changed = Condition()
        self._first = Lock()

    def take(self, count: int, give_up: Callable[[], bool]) -> list[Device] | None:
        """Wait for so many different devices; None once `give_up` says so.

        count: at most the number of different devices, see `limit`.
        """
        while not self._first.acquire(timeout=LOOK_S):
            if give_up():
                return None
        try:
            with self._changed:
                while len(different := list(dict.fromkeys(self._free))) < count:
                    if give_up():
                        return None
                    self._changed.wait(LOOK_S)
                for device in different[:count]:
                    self._free.remove(device)
                return different[:count]
        finally:
            self._first.release()

    def give(self, taken: Sequence[Device]) -> None:
        with self._changed:
            self._free.extend(taken)
            self._changed.notify_all()


def limit(slots: int) -> int:
    """How many devices one training can have at most. slots: as in the settings."""
    return len(set(devices.slots(slots)))
