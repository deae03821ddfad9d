"""Read the logs of runs."""

from __future__ import annotations

import re
from pathlib import Path

from core.system.files import tail
from core.system.redaction import redact
from core.tracking import schema
from core.tracking.store import RunStore

TAIL_BYTES = 64 * 1024  # of a log, that are kept with the run and shown

# TensorFlow lists at every start the libraries that it did not find; no setting silences that.
_NOISE = re.compile(
    r"^([IWE]\d{4} \d\d:\d\d|[IWE]\d{4} \d{8,}|WARNING: All log messages before absl|To enable the)"
)


def readable(text: str) -> str:
    """Remove start-up messages of libraries and secrets of the environment from a log."""
    return redact("\n".join(line for line in text.splitlines() if not _NOISE.match(line)))


def log_path(store: RunStore, run_id: str) -> Path:
    """Return the file that a run's training process on this machine prints to."""
    return store.settings.log(run_id)


def read_log(store: RunStore, run_id: str) -> str:
    """Return the last lines of a run's log: from this machine if it trained here, else from the store.

    Empty if the run has not printed anything yet.
    """
    text = tail(log_path(store, run_id), TAIL_BYTES)
    if text:
        return readable(text)
    try:
        return redact(store.read_text(run_id, schema.LOG))
    except FileNotFoundError:
        return ""
