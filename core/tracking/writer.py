"""MetricWriter: what a training says reaches the store from a thread of its own, about once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from threading import Condition, Thread

from core.tracking.patience import PATIENCE_S
from core.tracking.store import RunStore

logger = logging.getLogger(__name__)


class MetricWriter:
    """Collects metrics and tags, and writes them in batches; training never waits for the store.

    A write that fails (a busy or absent store) is tried again until it works or `close` gives up. As a
    context it closes itself, after an error too: what was measured before a crash is kept.

    waits: nothing is written before `begin`, or before it closes. Importing MLflow takes seconds, which no
    training should wait for.
    """

    def __init__(self, store: RunStore, run_id: str, interval_s: float = 1.0, *, waits: bool = False):
        self.store = store
        self.run_id = run_id
        self.interval_s = interval_s
        self._steps: dict[int, dict[str, float]] = {}
        self._tags: dict[str, str] = {}
        self._calls: list[Callable[[], object]] = []
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

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags; of a tag set several times between two writes only the last value is written."""
        with self._condition:
            self._tags.update(values)

    def call(self, write: Callable[[], object]) -> None:
        """Have something else written, before the metrics; it must bear being tried again."""
        with self._condition:
            self._calls.append(write)

    def begin(self) -> None:
        """Write from now on."""
        with self._condition:
            self._waits = False

    def close(self, timeout_s: float = PATIENCE_S) -> None:
        """Write what is left. Raises TimeoutError when the store did not take it in time."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"The tracking store took no metrics for {timeout_s:.0f} s.")

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
            written = self._write(steps, tags)
            if closing and written:
                return
            if closing:
                time.sleep(self.interval_s)  # the condition no longer waits

    def _write(self, steps: dict[int, dict[str, float]], tags: dict[str, str]) -> bool:
        try:
            while self._calls:
                self._calls[0]()
                del self._calls[0]
            while len(steps) > 1:
                self.store.log_metrics(self.run_id, steps[min(steps)], min(steps))
                del steps[min(steps)]
            if steps or tags:  # the last step and the tags in one transaction
                step, values = next(iter(steps.items()), (0, {}))
                self.store.log_metrics(self.run_id, values, step, tags)
        except Exception as error:
            logger.warning("The tracking store did not take a write, trying again: %s", error)
            with self._condition:
                for step, values in steps.items():
                    self._steps[step] = values | self._steps.get(step, {})
                self._tags = tags | self._tags
            return False
        return True
