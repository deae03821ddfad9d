"""Start waiting runs in free slots, each in a thread of its own."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

from core.jobs import queue
from core.jobs.executors.ray_head import cluster_of
from core.jobs.executors.spare import Spare
from core.jobs.slots import AUTO, CLUSTER, Slots, limit, slots_of
from core.jobs.speed_probe import measure
from core.jobs.supervise import persist, supervise
from core.system.devices import device_environment
from core.system.process_ids import this_process
from core.system.settings import LOW_DISK
from core.tracking import schema
from core.tracking.run_state import RunState, number_of
from core.tracking.store import RunStore

ASK_S = 5.0  # between two checks whether a cluster's head answers, while runs wait

logger = logging.getLogger(__name__)


class Dispatcher:
    """Starts runs of the queue. Used by one thread, the worker's, which calls `step` in a loop."""

    def __init__(self, store: RunStore):
        self.store = store
        slots = slots_of(store.settings)
        self.slots, self._most = Slots(slots), limit(slots)
        first = slots[0]  # a GPU where the machine has one
        self.spare = Spare(store.settings, device_environment(first, self.slots.shared(first)))
        self._threads: dict[str, Thread] = {}
        self._problem, self._ask_again_at = "", 0.0
        self._full = False

    def step(self) -> None:
        """Start the runs that can start now.

        A run that waits for a particular device does not block the queue. Any other waiting run blocks all
        runs behind it, except on devices that it cannot use.
        """
        self._threads = {run_id: one for run_id, one in self._threads.items() if one.is_alive()}
        self.spare.keep(busy=bool(self._threads))
        if not self.slots.any_free or not self._has_room():
            return
        waiting = queue.waiting(self.store)
        self._measure(waiting)
        blocked = False
        for run in waiting:
            if run.run_id in self._threads or queue.is_held(run):
                continue
            if not self._reachable():
                return
            count, wanted = self._request(run)
            if blocked and (wanted == AUTO or self.slots.serves(wanted, AUTO)):
                continue
            taken = self.slots.take(count, wanted)
            if taken is not None:
                self._begin(run.run_id, taken, self._train)
            elif wanted == AUTO:
                blocked = True

    def attach(self) -> None:
        """Take over the jobs on a cluster that a worker left when it died, each with a slot."""
        if self.store.settings.executor != "ray":
            return
        for run in self.store.active():
            if run.run_id not in self._threads and is_orphaned_job(self.store, run):
                self._begin(run.run_id, self.slots.take() or [], self._attach)

    def is_busy(self) -> bool:
        """Whether a run is trained or measured now."""
        return any(thread.is_alive() for thread in self._threads.values())

    def join(self) -> None:
        """Wait until all runs have ended."""
        for thread in self._threads.values():
            thread.join()
        self.spare.close()

    def _has_room(self) -> bool:
        """Return whether the disk is writable and has room: otherwise every run would fail."""
        home = self.store.settings.home
        full = not os.access(home, os.W_OK) or shutil.disk_usage(home).free < LOW_DISK
        if full and not self._full:
            logger.warning("The disk of %s is full or read-only: no run starts.", home)
        self._full = full
        return not full

    def _reachable(self) -> bool:
        """Return whether a cluster's head answers; always True without a cluster."""
        if self.store.settings.executor != "ray":
            return True
        if time.monotonic() > self._ask_again_at:
            problem = cluster_of(self.store.settings).problem()
            if problem and problem != self._problem:
                logger.warning("%s", problem)
            self._problem, self._ask_again_at = problem, time.monotonic() + ASK_S
        return not self._problem

    def _measure(self, waiting: Sequence[RunState]) -> None:
        """Measure the speed of the runs for which that was requested, before other runs start."""
        for run in waiting if self.store.settings.executor == "local" else ():
            if schema.MEASURE in run.tags and run.run_id not in self._threads:
                taken = self.slots.take(*self._request(run))
                if taken is not None:
                    self._begin(run.run_id, taken, self._probe)

    def _begin(self, run_id: str, taken: list[str], action: Callable[[str, list[str]], None]) -> None:
        thread = Thread(target=self._carry_out, args=(action, run_id, taken), name=f"run-{run_id}")
        self._threads[run_id] = thread
        thread.start()

    def _carry_out(self, action: Callable[[str, list[str]], None], run_id: str, taken: list[str]) -> None:
        try:
            action(run_id, taken)
        except Exception as error:
            logger.exception("The run %s could not be supervised to its end.", run_id)
            reason = f"The worker could not follow the training to its end: {error}"
            with suppress(Exception):  # deleted, or the next worker ends it
                persist(self.store, run_id, lambda: self.store.fail(run_id, reason))
        finally:
            self.slots.give(taken)

    def _train(self, run_id: str, taken: list[str], attach: bool = False) -> None:
        device, shared = ",".join(taken) or CLUSTER, max(map(self.slots.shared, taken), default=1)
        status = supervise(self.store, run_id, device, shared, attach=attach, spare=self.spare)
        if status == schema.SCHEDULED:  # the cluster did not accept it: wait before the next try
            self._problem, self._ask_again_at = "The Ray head accepted no job.", time.monotonic() + ASK_S

    def _attach(self, run_id: str, taken: list[str]) -> None:
        self._train(run_id, taken, attach=True)

    def _probe(self, run_id: str, taken: list[str]) -> None:
        try:
            measure(self.store, run_id, ",".join(taken), max(map(self.slots.shared, taken)))
        except Exception:  # the run itself can still train
            logger.exception("The run %s was not measured.", run_id)

    def _request(self, run: RunState) -> tuple[int, str]:
        """Return how many devices a run needs, and which one; one and `auto` by default."""
        count, _, device = run.tags.get(schema.WANTS, "").partition(" ")
        wanted = device if device and self.store.settings.executor == "local" else AUTO
        return min(number_of(count) or 1, self._most), wanted


def is_orphaned_job(store: RunStore, run: RunState) -> bool:
    """Return whether a run is a cluster job of this installation whose worker has died."""
    return (
        run.status == schema.RUNNING
        and schema.JOB in run.tags
        and queue.is_own(store, run)
        and run.tags[schema.OWNER] != this_process()
    )
