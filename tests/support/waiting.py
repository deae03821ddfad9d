"""Polling instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], timeout_s: float = 120.0, step_s: float = 0.1) -> None:
    """Poll until a condition holds; fails the test when it does not in time."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, f"did not become true within {timeout_s:.0f} s"
        time.sleep(step_s)
