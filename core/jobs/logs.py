"""What a training printed, made readable."""

from __future__ import annotations

import re
from pathlib import Path

from core.system.files import tail
from core.system.redaction import redact
from core.tracking import schema
from core.tracking.store import RunStore

TAIL_BYTES = 64 * 1024  # what of a log is kept with the run, and shown

# TensorFlow says on every start which libraries it did not find; nobody can silence those lines.
_NOISE = re.compile(
    r"^([IWE]\d{4} \d\d:\d\d|[IWE]\d{4} \d{8,}|WARNING: All log messages before absl|To enable the)"
)


def readable(text: str) -> str:
    """A log without the start-up messages of the libraries, and without secrets of the environment."""
    return redact("\n".join(line for line in text.splitlines() if not _NOISE.match(line)))


def log_path(store: RunStore, run_id: str) -> Path:
    """Where a training of this machine writes its log."""
    return store.settings.log(run_id)


def read_log(store: RunStore, run_id: str) -> str:
    """The last lines of a run's log: this machine's own when it trained here, else what the run kept.

    Empty when the run has not printed anything yet.
    """
    text = tail(log_path(store, run_id), TAIL_BYTES)
    if text:
        return readable(text)
    try:
        return redact(store.read_text(run_id, schema.LOG))
    except FileNotFoundError:
        return ""
