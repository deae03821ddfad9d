"""What a run wrote down of the images that its model takes."""

from __future__ import annotations

from typing import Any

from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore

NEEDED = ("shape", "classes", "policy")


def logged_facts(store: RunStore, run_id: str) -> dict[str, Any] | None:
    """Return a run's `schema.DATA`; None for a run of another program, which logs none or one of its own.

    Raises FileNotFoundError when a run of ArchLab has lost its file, DamagedArtifact when it is damaged.
    """
    ours = schema.NUMBER in store.state(run_id).tags
    try:
        return store.read_json(run_id, schema.DATA, NEEDED)
    except (FileNotFoundError, DamagedArtifact):
        if ours:
            raise
        return None
