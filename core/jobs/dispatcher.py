"""Gives free slots to the runs that wait, each in a thread of its own."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from threading import Thread

from core.config import ConfigError
from core.jobs import queue
from core.jobs.executors.ray import cluster_of
from core.jobs.slots import AUTO, CLUSTER, Slots, limit, slots_of
from core.jobs.supervise import persist, supervise
from core.tracking import schema
from core.tracking.opening import home_id
from core.tracking.owners import is_alive
from core.tracking.states import RunState
from core.tracking.store import RunStore

ASK_S = 5.0  # how often a cluster's head is asked whether it is there, while runs wait

logger = logging.getLogger(__name__)


class Dispatcher:
    """Not shared between threads: the worker asks it again and again to take a `step`."""

    def __init__(self, store: RunStore):
        self.store = store
        slots = slots_of(store.settings)
        self.slots, self._most = Slots(slots), limit(slots)
        self._trainings: dict[str, Thread] = {}
        self._wishes: dict[str, tuple[int, str]] = {}
        self._problem, self._ask_again_at = "", 0.0

    def step(self) -> None:
        """Start what can start now.

        Others may pass a run that waits for a device of its choice, but none that waits for several.
        """
        self._trainings = {run_id: one for run_id, one in self._trainings.items() if one.is_alive()}
        if not self.slots.any_free:
            return  # a long queue costs nothing while all is busy
        waiting = queue.waiting(self.store)
        self._wishes = {run.run_id: self._wishes[run.run_id] for run in waiting if run.run_id in self._wishes}
        for run in waiting:
            if run.run_id in self._trainings or queue.is_held(run):
                continue
            if not self._reachable():
                return
            count, wanted = self._wish(run.run_id)
            taken = self.slots.take(count, wanted)
            if taken is not None:
                self._begin(run.run_id, taken, attach=False)
            elif wanted == AUTO:
                return

    def attach(self) -> None:
        """Take over the jobs on a cluster that a worker which died has left, each with its slot."""
        for run in self.store.active():
            if is_left(self.store, run):
                self._begin(run.run_id, self.slots.take() or [], attach=True)

    def join(self) -> None:
        """Wait until all trainings have ended."""
        for thread in self._trainings.values():
            thread.join()

    def _reachable(self) -> bool:
        """Whether there is something to train on; what waits for a cluster's head goes on waiting."""
        if self.store.settings.executor != "ray":
            return True
        if time.monotonic() > self._ask_again_at:
            problem = cluster_of(self.store.settings).problem()
            if problem and problem != self._problem:
                logger.warning("%s", problem)
            self._problem, self._ask_again_at = problem, time.monotonic() + ASK_S
        return not self._problem

    def _begin(self, run_id: str, taken: list[str], attach: bool) -> None:
        thread = Thread(target=self._train, args=(run_id, taken, attach), name=f"run-{run_id}")
        self._trainings[run_id] = thread
        thread.start()

    def _train(self, run_id: str, taken: list[str], attach: bool) -> None:
        device, shared = ",".join(taken) or CLUSTER, max(map(self.slots.shared, taken), default=1)
        try:
            supervise(self.store, run_id, device, shared, attach=attach)
        except Exception as error:
            logger.exception("The run %s was given up.", run_id)
            reason = f"The worker could not follow the training to its end: {error}"
            with suppress(Exception):  # deleted, or the next worker ends it
                persist(self.store, run_id, lambda: self.store.fail(run_id, reason))
        finally:
            self.slots.give(taken)

    def _wish(self, run_id: str) -> tuple[int, str]:
        """How many devices a run takes, and which; any one where its config cannot be read, as the training
        will say.

        Raises SettingsError while the store does not answer.
        """
        if run_id not in self._wishes:
            try:
                training = self.store.config(run_id).training
            except (ConfigError, OSError):
                return 1, AUTO
            wanted = training.device if self.store.settings.executor == "local" else AUTO
            self._wishes[run_id] = min(training.devices, self._most), wanted
        return self._wishes[run_id]


def is_left(store: RunStore, run: RunState) -> bool:
    """Whether a run trains on a cluster, without the worker of this installation that watched it."""
    return (
        store.settings.executor == "ray"
        and run.status == schema.RUNNING
        and schema.JOB in run.tags
        and run.tags.get(schema.HOME) == home_id(store.settings)
        and not is_alive(run.tags[schema.OWNER])
    )
