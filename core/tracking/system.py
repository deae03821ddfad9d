"""MLflow's own record of CPU, memory and GPU use while a run trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from core.tracking.errors import is_away
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 0.5, 10.0  # between two samples: at first, and in a long run
GROWTH = 1.3
EVERY_MACHINE_HAS = "cpu_utilization_percentage"
MOST = 1000  # metrics that MLflow takes in one request


@contextmanager
def system_metrics(
    store: RunStore, run_id: str, writer: MetricWriter, first_s: float = FIRST_S, longest_s: float = LONGEST_S
) -> Iterator[None]:
    """Log `system/*` metrics from a thread, once the writer has begun, until the block ends.

    The first sample comes at once, the next ones at intervals that grow from `first_s` to `longest_s` seconds
    and one at the end: a short run has a curve too. While the store is away samples are kept and written
    later by the writer, with the times at which they were taken.
    """
    ended = Event()
    threads: list[Thread] = []
    samples = Samples(store, run_id, writer)

    def start() -> None:
        if threads or ended.is_set():
            return
        threads.append(
            Thread(
                target=_sample, args=(samples, ended, first_s, longest_s), name="system-metrics", daemon=True
            )
        )
        threads[0].start()

    writer.call(start, "the use of the machine")
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(LONGEST_S)


class Samples:
    """Samples that were not written yet. The writer writes them; nothing waits for it."""

    def __init__(self, store: RunStore, run_id: str, writer: MetricWriter):
        self.store = store
        self.run_id = run_id
        self.writer = writer
        self.refused = False
        self._kept: list[tuple[str, float, int, int]] = []  # name, value, milliseconds since 1970, sample
        self._taken = 0
        self._last_step: int | None = None  # of the attempts to train the run before this one
        self._writing = False
        self._lock = Lock()

    def add(self, values: Mapping[str, float]) -> None:
        """Keep the values of one time and have them written."""
        now = int(time.time() * 1000)
        with self._lock:
            self._taken += 1
            self._kept += [
                (f"system/{name}", float(value), now, self._taken) for name, value in values.items()
            ]
            if self._writing or not self._kept:
                return
            self._writing = True
        self.writer.call(self._write, "the use of the machine")

    def _write(self) -> None:
        try:
            self._write_all()
        except Exception as error:
            self.refused = not is_away(error)
            raise

    def _write_all(self) -> None:
        client = self.store.client  # first: it imports MLflow, one thread at a time
        from mlflow.entities import Metric

        if self._last_step is None:
            self._last_step = self.store.read.last_step(self.run_id, f"system/{EVERY_MACHINE_HAS}")
        while True:
            with self._lock:
                batch = self._kept[:MOST]
                if not batch:
                    self._writing = False
                    return
            client.log_batch(
                self.run_id,
                metrics=[Metric(name, value, at, self._last_step + step) for name, value, at, step in batch],
            )
            with self._lock:
                del self._kept[: len(batch)]


def _sample(samples: Samples, ended: Event, pause: float, longest_s: float) -> None:
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # no news for the run's log
        monitor = SystemMetricsMonitor(samples.run_id, tracking_uri=samples.store.uri)
        _values(monitor)  # use is counted between two looks, so the first one has none
    except Exception as error:  # a curve less
        logger.warning("The use of the machine was not recorded: %s", error)
        return
    last, failed = False, False
    while not last and not samples.refused:
        last = ended.wait(pause)
        try:
            samples.add(_values(monitor))
        except Exception as error:
            if not failed:
                logger.warning("The use of the machine could not be measured: %s", error)
            failed = True
        pause = min(GROWTH * pause, longest_s)


def _values(monitor: SystemMetricsMonitor) -> dict[str, float]:
    """Return what was measured since the previous call, by name without a prefix."""
    monitor.collect_metrics()
    values = monitor.aggregate_metrics()
    for part in monitor.monitors:
        part.clear_metrics()
    return values
