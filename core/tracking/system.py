"""MLflow's own record of CPU, memory and GPU use while a run trains."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from core.tracking.store import RunStore

SAMPLE_S = 2.0


@contextmanager
def system_metrics(store: RunStore, run_id: str) -> Iterator[None]:
    """Log `system/*` metrics from a thread until the block ends."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # it is no news for the run's log
    monitor = SystemMetricsMonitor(
        run_id, sampling_interval=SAMPLE_S, samples_before_logging=5, tracking_uri=store.uri
    )
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
