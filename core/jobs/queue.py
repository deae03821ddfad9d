"""The queue: it holds the order of runs and nothing else; what is true of a run stands in the store."""

from __future__ import annotations

import json
from functools import cache
from queue import SimpleQueue
from threading import Lock
from typing import Any

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from core.jobs import devices
from core.jobs.supervise import supervise
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
        free: SimpleQueue[str | None] = SimpleQueue()  # one entry a slot; a thread takes some while it trains
        for device in devices.slots(settings.slots):
            free.put(device)
        gathering = Lock()  # two that each wait for what the other has would wait for ever

        @self.huey.task(name="train")
        def train(run_id: str) -> None:
            with gathering:
                taken = [free.get() for _ in range(_devices(store, run_id))]
            try:
                supervise(store, run_id, ",".join(one for one in taken if one is not None) or None)
            finally:
                for one in taken:
                    free.put(one)

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
        return min(store.config(run_id).training.devices, max(1, devices.gpu_count()))
    except (ValueError, OSError):
        return 1


@cache
def queue_of(store: RunStore) -> RunQueue:
    """The queue beside a store, opened once a process."""
    return RunQueue(store)


def get_queue() -> RunQueue:
    """The queue of this process' settings."""
    return queue_of(get_store())
