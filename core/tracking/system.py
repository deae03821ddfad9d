"""MLflow's own record of CPU, memory and GPU use while a run trains."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 0.5, 10.0  # between two samples: at first, and in a long run
GROWTH = 1.3


@contextmanager
def system_metrics(store: RunStore, run_id: str, writer: MetricWriter) -> Iterator[None]:
    """Log `system/*` metrics from a thread, once the writer has begun, until the block ends.

    The first sample comes at once, the next ones at intervals that grow to ten seconds, and one at the end:
    a short run has a curve too.
    """
    ended = Event()
    threads: list[Thread] = []

    def start() -> None:
        if threads or ended.is_set():
            return
        threads.append(
            Thread(target=_sample, args=(store, run_id, ended), name="system-metrics", daemon=True)
        )
        threads[0].start()

    writer.call(start, "the use of the machine")
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(LONGEST_S)


def _sample(store: RunStore, run_id: str, ended: Event) -> None:
    try:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # no news for the run's log
        monitor = SystemMetricsMonitor(run_id, tracking_uri=store.uri, resume_logging=True)
        monitor.collect_metrics()  # use is counted between two looks, so the first one has none
        for part in monitor.monitors:
            part.clear_metrics()
        pause, last = FIRST_S, False
        while not last:
            last = ended.wait(pause)
            monitor.collect_metrics()
            monitor.publish_metrics(monitor.aggregate_metrics())
            pause = min(GROWTH * pause, LONGEST_S)
        monitor.mlflow_logger.flush()
    except Exception as error:  # a curve less
        logger.warning("The use of the machine was not recorded: %s", error)
