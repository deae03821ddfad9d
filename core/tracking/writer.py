"""MetricWriter: writes the metrics and tags of a training from a thread of its own, about once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TypeVar

from core.tracking import schema
from core.tracking.errors import Fault, fault_of, first_line, is_away
from core.tracking.patience import PATIENCE_S, RESTART_S, Attempts, accepts, patiently
from core.tracking.store import RunStore

logger = logging.getLogger(__name__)

T = TypeVar("T")
REASON_LENGTH, NOTE_LENGTH = 300, 4000  # characters of a reason, and of all that are kept with a run


@dataclass
class Call:
    """Something else to be written. attempts: those that failed while the store accepted other writes."""

    name: str
    write: Callable[[], object]
    attempts: Attempts = field(default_factory=lambda: Attempts(least_s=RESTART_S))


class MetricWriter:
    """Collects metrics and tags, and writes them in batches; training never waits for the store.

    A write that fails because the store is busy or away is tried again until it works or `close` gives up.
    One that the store refuses is logged, noted with the run (the tag `archlab.not_logged`) and left out;
    everything else is written all the same. As a context it closes itself, after an error too: what was
    measured before a crash is kept.

    waits: nothing is written before `begin`, or before it closes. Importing MLflow takes seconds, which no
    training should wait for.
    """

    def __init__(self, store: RunStore, run_id: str, interval_s: float = 1.0, *, waits: bool = False):
        self.store = store
        self.run_id = run_id
        self.interval_s = interval_s
        self._steps: dict[int, dict[str, float]] = {}
        self._moments: dict[int, int] = {}  # when each step's first value came, in ms since 1970
        self._tags: dict[str, str] = {}
        self._calls: list[Call] = []
        self._left_out: dict[str, str] = {}  # the reason, by what was not logged
        self._waits = waits
        self._closing = False
        self._condition = Condition()
        self._thread = Thread(target=self._run, name="metric-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> MetricWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Log values at a step; NaN and infinity are kept."""
        with self._condition:
            self._steps.setdefault(step, {}).update(values)
            self._moments.setdefault(step, int(time.time() * 1000))

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; of a tag set several times between two writes only the last value is written."""
        with self._condition:
            self._tags.update(values)

    def call(self, write: Callable[[], object], name: str = "an artifact") -> None:
        """Queue another write, which the writer's thread makes before the metrics.

        write: idempotent. name: what it writes, for a note in case that fails.
        """
        with self._condition:
            self._calls.append(Call(name, write))

    def attempt(self, name: str, write: Callable[[], T]) -> T | None:
        """Write something at once, on the caller's thread; returns None when the store refuses it.

        Waits for a store that is away (`patiently`). Raises what else goes wrong.
        """
        try:
            return patiently(write, lambda: self.store.touch(self.run_id))
        except Exception as error:
            if fault_of(error) is not Fault.REFUSED:
                raise
            self._leave_out(name, error)
            return None

    def begin(self) -> None:
        """Write from now on."""
        with self._condition:
            self._waits = False

    def close(self, timeout_s: float = PATIENCE_S) -> None:
        """Write what is left.

        Raises TimeoutError when the store did not take it in time, RuntimeError when the thread that writes
        has ended with an error before it had written everything.
        """
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"The tracking store took no metrics for {timeout_s:.0f} s.")
        if self._steps or self._tags or self._calls:
            raise RuntimeError("Not all of this run was logged: the thread that writes to the store failed.")

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._closing:
                    self._condition.wait(self.interval_s)
                closing = self._closing
                if self._waits and not closing:
                    continue
                steps, self._steps = self._steps, {}
                tags, self._tags = self._tags, {}
            away = self._carry_out_calls()
            written = self._write(steps, tags)
            if written and away:
                self._count_tries(away)
            if closing and written and not (self._calls or self._steps or self._tags):
                return
            if closing:
                time.sleep(self.interval_s)  # the condition no longer waits

    def _carry_out_calls(self) -> dict[str, Exception]:
        """Try every call once, and return the errors of those that stay because the store is away."""
        away = {}
        for call in list(self._calls):
            try:
                call.write()
            except Exception as error:
                if is_away(error):
                    logger.warning("The tracking store did not take %s, trying again: %s", call.name, error)
                    away[call.name] = error
                    continue
                self._leave_out(call.name, error)
            self._calls.remove(call)
        return away

    def _count_tries(self, away: Mapping[str, Exception]) -> None:
        """Drop a call that keeps failing while the store accepts other writes: the store is not away."""
        try:
            if not accepts(lambda: self.store.touch(self.run_id)):
                return
        except Exception as error:  # it answers: a run that was deleted, for one, takes no tag
            logger.warning("The tracking store refused a tag: %s", error)
        for call in [one for one in self._calls if one.name in away]:
            call.attempts.fail()
            if call.attempts.are_refused:
                self._leave_out(call.name, away[call.name])
                self._calls.remove(call)

    def _write(self, steps: dict[int, dict[str, float]], tags: dict[str, str]) -> bool:
        """Write metrics and tags, and return whether the store accepted them; else they are kept."""
        try:
            while len(steps) > 1:
                self._write_step(min(steps), steps[min(steps)], {})
                self._written(min(steps))
                del steps[min(steps)]
            if steps or tags:  # the last step and the tags in one transaction
                step, values = next(iter(steps.items()), (0, {}))
                self._write_step(step, values, tags)
                self._written(step)
        except Exception as error:
            if not is_away(error):
                logger.exception("Some metrics of this run were lost.")
                self._leave_out("some metrics", error)
                return True
            logger.warning("The tracking store did not take a write, trying again: %s", error)
            with self._condition:
                for step, values in steps.items():
                    self._steps[step] = values | self._steps.get(step, {})
                self._tags = tags | self._tags
            return False
        return True

    def _written(self, step: int) -> None:
        """Delete the time of a step, unless it got further values meanwhile."""
        with self._condition:
            if step not in self._steps:
                self._moments.pop(step, None)

    def _write_step(self, step: int, values: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write one step; when the store refuses it, its values one by one, so that one costs no other."""
        try:
            self.store.log_metrics(self.run_id, values, step, tags, self._moments.get(step))
        except Exception as error:
            if fault_of(error) is not Fault.REFUSED:
                raise
            if len(values) + len(tags) == 1:
                (name,) = (*values, *tags)
                self._leave_out(name, error)
                return
            for name, value in values.items():
                self._write_step(step, {name: value}, {})
            for name, tag in tags.items():
                self._write_step(step, {}, {name: tag})

    def _leave_out(self, name: str, error: Exception) -> None:
        """Log with the run, once, that something is not logged and why."""
        if name in self._left_out:
            return
        logger.warning("Not logged, the tracking store refused: %s. %s", name, error, exc_info=error)
        self._left_out[name] = first_line(error)[:REASON_LENGTH]
        sentences = [f"{what}: {reason}" for what, reason in self._left_out.items()]
        self.tags({schema.NOT_LOGGED: "; ".join(sentences)[:NOTE_LENGTH]})
