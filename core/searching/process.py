"""The process of a search: detached, one for each name, which ends when the budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.searching import plan as plans
from core.searching.search import Search
from core.system.daemon import Daemon
from core.system.settings import Settings
from core.tracking.errors import first_line, is_away
from core.tracking.patience import be_impatient
from core.tracking.store import RunStore, get_store

LOOK_S, LOOK_FAR_S = 1.0, 5.0  # between two looks at the store: at a database, at a server


def search_of(settings: Settings, name: str) -> Daemon:
    """Return the process of a search. Raises ConfigError for a bad name."""
    plans.file_of(settings, name, "lock")
    arguments = ("-m", "core", "search", name, "--serve")
    return Daemon(settings, f"searches/{name}", arguments, f"process of the search '{name}'")


def serve(settings: Settings, name: str) -> None:
    """Search until the budget is spent.

    Raises:
        NotAllowed: On a read-only server, before anything is asked or written.
        DaemonExists: Another process does.
    """
    settings.require_trainer("search")
    be_impatient()
    opened: list[Search] = []

    def step() -> bool:
        if not opened:
            opened.append(Search(get_store(), name))
        return opened[0].step()

    with search_of(settings, name).hold():
        while taken(step):
            time.sleep(look_s(get_store()))


def look_s(store: RunStore) -> float:
    """Return the seconds between two looks of a search at a store."""
    return LOOK_S if store.read.quick else LOOK_FAR_S


def taken(step: Callable[[], bool]) -> bool:
    """Take a step of a search; returns whether it goes on, as it does while the tracking store is away.

    A step that was cut off is made up by the next one, as after a kill.
    """
    try:
        return step()
    except Exception as error:
        if not is_away(error):
            raise
        print(f"The tracking store did not answer, trying again: {first_line(error)}", flush=True)
        return True


def change(settings: Settings, name: str, **budget: Any) -> None:
    """Give a search another budget (`trials`, `hours`); a stopped one may go on. Raises ConfigError."""
    settings.require_trainer("search")
    plans.write(settings, name, plans.plan_of({**plans.read(settings, name).model_dump(), **budget}))
    go_on(settings, name)


def go_on(settings: Settings, name: str) -> None:
    """Let a search that was stopped begin trials again, once its process runs."""
    settings.require_trainer("search")
    plans.file_of(settings, name, "stop").unlink(missing_ok=True)


def stop(settings: Settings, name: str) -> None:
    """Let a search begin no further trial; those under way are trained to their end."""
    settings.require_trainer("stop a search")
    plans.read(settings, name)
    plans.file_of(settings, name, "stop").touch()
