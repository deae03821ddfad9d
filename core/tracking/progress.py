"""How far a run is: in a file of its job's folder at once, and in a tag once the store takes it.

A training's first words to the store wait until MLflow is imported, which takes seconds; on the machine where
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
    """Write down how far a run is. A disk that takes nothing costs the word, not the training."""
    path = settings.progress(run_id)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**progress, "at": time.time()}), sync=False)  # written often


def latest(settings: Settings, run_id: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """The last thing that this attempt to train a run said of itself; empty when it said nothing yet.

    tags: of the run, by the names of `core.tracking.schema`.
    """
    tag = progress_of(tags.get(schema.PROGRESS))
    try:
        said = progress_of(settings.progress(run_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return tag
    started = started_at(tags)
    if "at" not in said or started is None or said["at"] < started or said["at"] < tag.get("at", 0):
        return tag  # the file is of an attempt before this one, or the training goes on elsewhere
    return said


def started_at(tags: Mapping[str, Any]) -> float | None:
    """When the run's present attempt began, in seconds since 1970; None where nothing says so."""
    moment = number_of(tags.get(schema.STARTED))
    return None if moment is None else moment / 1000
