"""The queue: it holds the order of runs and nothing else; what is true of a run stands in the store."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from core.jobs import devices
from core.jobs.slots import Slots, limit
from core.jobs.supervise import stopping, supervise
from core.tracking import schema
from core.tracking.states import UnknownRun
from core.tracking.store import RunStore, get_store


class JsonSerializer(Serializer):
    """Messages as JSON: reading a queue must not be able to run code, as unpickling can."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(data))


class RunQueue:
    """Runs in the order in which they were submitted, kept in a small database of its own."""

    def __init__(self, store: RunStore):
        settings = store.settings
        settings.check_writable()
        self.huey = SqliteHuey(
            "archlab",
            filename=str(settings.queue),
            results=False,
            strict_fifo=True,
            timeout=20,  # several processes submit at once
            serializer=JsonSerializer(),
        )
        slots = Slots(devices.slots(settings.slots))

        @self.huey.task(name="train")
        def train(run_id: str) -> None:
            taken = slots.take(
                _devices(store, run_id), lambda: stopping.is_set() or not _waits(store, run_id)
            )
            if taken is None:
                return
            try:
                supervise(store, run_id, ",".join(one for one in taken if one is not None) or None)
            finally:
                slots.give(taken)

        self._train = train

    def put(self, run_id: str) -> None:
        """Add a run at the end."""
        self._train(run_id)

    def waiting(self) -> list[str]:
        """Ids of the runs that wait, first the next one."""
        return [task.args[0] for task in self.huey.pending()]


def _devices(store: RunStore, run_id: str) -> int:
    """How many devices a run takes; one where nothing can be read of it, which `supervise` then says."""
    try:
        return min(store.config(run_id).training.devices, limit(store.settings.slots))
    except (ValueError, OSError):
        return 1


def _waits(store: RunStore, run_id: str) -> bool:
    """Whether a run is still to be trained; yes where the store cannot say."""
    try:
        return store.state(run_id).status == schema.SCHEDULED
    except UnknownRun:
        return False
    except Exception:  # busy for a while
        return True


@cache
def queue_of(store: RunStore) -> RunQueue:
    """The queue beside a store, opened once a process."""
    return RunQueue(store)


def get_queue() -> RunQueue:
    """The queue of this process' settings."""
    return queue_of(get_store())
