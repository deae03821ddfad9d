"""What a search keeps beside its journal: one JSON file."""

from __future__ import annotations

import json
from typing import Any

from core.searching.plan import file_of
from core.system.files import read_state, write_whole
from core.system.settings import Settings


def state_of(settings: Settings, name: str) -> dict[str, Any]:
    """Read what a search keeps beside its journal.

    Returns:
        parent: its run id; seconds: spent; begun: how many trials; refused: how many trials in a row could
        not be launched; reason: of the last of these. Each is missing until it is known.
    """
    return read_state(file_of(settings, name, "json")) or {}


def keep(settings: Settings, name: str, **values: Any) -> None:
    """Change what a search keeps beside its journal."""
    write_whole(file_of(settings, name, "json"), json.dumps(state_of(settings, name) | values), sync=False)
