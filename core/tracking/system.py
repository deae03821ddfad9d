"""MLflow's own record of CPU, memory and GPU use while a run trains."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter

SAMPLE_S = 2.0


@contextmanager
def system_metrics(store: RunStore, run_id: str, writer: MetricWriter) -> Iterator[None]:
    """Log `system/*` metrics from a thread, once the writer has begun, until the block ends."""
    lock = Lock()
    monitors: list[Any] | None = []

    def start() -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # no news for the run's log
        with lock:
            if monitors is not None:
                monitor = SystemMetricsMonitor(
                    run_id, sampling_interval=SAMPLE_S, samples_before_logging=5, tracking_uri=store.uri
                )
                monitor.start()
                monitors.append(monitor)

    writer.call(start, "the use of the machine")
    try:
        yield
    finally:
        with lock:
            started, monitors = monitors or [], None
        for monitor in started:
            monitor.finish()
