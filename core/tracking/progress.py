"""The progress of a run: in a file of its job's folder at once, and in a tag once the store accepts it.

The first writes of a training wait until MLflow is imported, which takes seconds; on the machine where
it trains the file has them before. `latest` reads whichever is newer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from core.system.files import write_whole
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.run_state import number_of, progress_of


def report(settings: Settings, run_id: str, progress: Mapping[str, Any]) -> None:
    """Write the progress of a run to its file. A full disk loses the report, never the training."""
    path = settings.progress(run_id)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**progress, "at": time.time()}), sync=False)  # written often


def latest(settings: Settings, run_id: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last progress that the present attempt of a run reported; empty before the first.

    tags: of the run, by the names of `core.tracking.schema`.
    """
    tag = progress_of(tags.get(schema.PROGRESS))
    try:
        said = progress_of(settings.progress(run_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return tag
    started = started_at(tags)
    if "at" not in said or started is None or said["at"] < started or said["at"] < tag.get("at", 0):
        return tag  # the file is of an earlier attempt, or the run trains on another machine
    return said


def started_at(tags: Mapping[str, Any]) -> float | None:
    """Return when the present attempt of a run began, in seconds since 1970; None where it is not known."""
    moment = number_of(tags.get(schema.STARTED))
    return None if moment is None else moment / 1000
