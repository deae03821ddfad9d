"""What a run wrote down of the images that its model takes."""

from __future__ import annotations

import json
from typing import Any

from core.tracking import schema
from core.tracking.store import RunStore

NEEDED = ("shape", "classes", "policy")


def logged_facts(store: RunStore, run_id: str) -> dict[str, Any] | None:
    """Return a run's `schema.DATA`; None for a run of another program, which logs none or one of its own.

    Raises FileNotFoundError when a run of ArchLab has lost its file.
    """
    ours = schema.NUMBER in store.state(run_id).tags
    try:
        facts = json.loads(store.read_text(run_id, schema.DATA))
    except (FileNotFoundError, ValueError):
        if ours:
            raise
        return None
    readable = isinstance(facts, dict) and all(name in facts for name in NEEDED)
    return facts if ours or readable else None
