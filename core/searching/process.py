"""The process of a search: detached, one for each name, which ends when the budget is spent."""

from __future__ import annotations

import time
from typing import Any

from core.searching import plan as plans
from core.searching.search import Search
from core.system.daemon import Daemon
from core.system.settings import Settings
from core.tracking.store import get_store

LOOK_S = 1.0  # between two looks at the store


def search_of(settings: Settings, name: str) -> Daemon:
    """Return the process of a search. Raises ConfigError for a bad name."""
    plans.file_of(settings, name, "lock")
    return Daemon(settings, f"searches/{name}", ("-m", "core", "search", name))


def serve(settings: Settings, name: str) -> None:
    """Search until the budget is spent. Raises DaemonExists where another process does."""
    with search_of(settings, name).hold():
        search = Search(get_store(), name)
        while search.step():
            time.sleep(LOOK_S)


def change(settings: Settings, name: str, **budget: Any) -> None:
    """Give a search another budget (`trials`, `hours`); a stopped one may go on. Raises ConfigError."""
    settings.require_trainer("search")
    plans.write(settings, name, plans.plan_of({**plans.read(settings, name).model_dump(), **budget}))
    plans.file_of(settings, name, "stop").unlink(missing_ok=True)


def stop(settings: Settings, name: str) -> None:
    """Let a search begin no further trial; those under way are trained to their end."""
    settings.require_trainer("stop a search")
    plans.read(settings, name)
    plans.file_of(settings, name, "stop").touch()
