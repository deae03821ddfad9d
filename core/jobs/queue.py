"""The queue: which run comes next. It has no memory of its own; order and holds stand in the store.

So there is nothing that a crash could lose, and nothing that could say otherwise than the runs themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from core.tracking import schema
from core.tracking.opening import home_id
from core.tracking.run_state import RunState, number_of
from core.tracking.store import RunStore

State = TypeVar("State", bound=RunState)


def waiting(store: RunStore) -> list[RunState]:
    """The runs that wait for a slot of this installation, in the order in which they will start.

    First those of the highest priority; of equals, those submitted first. Held ones keep their place.
    """
    here = home_id(store.settings)  # once: it is read from a file, and the worker looks four times a second
    return in_order(
        [
            run
            for run in store.active()
            if run.status == schema.SCHEDULED
            and run.tags.get(schema.HOME) == here
            and schema.FOREGROUND not in run.tags
        ]
    )


def is_own(store: RunStore, run: RunState) -> bool:
    """Whether a run was put into the queue of this installation; others may share the store."""
    return run.tags.get(schema.HOME) == home_id(store.settings)


def in_order(runs: Sequence[State]) -> list[State]:
    """Sort runs that wait, given in the order of submission, into the order in which they will start."""
    return sorted(runs, key=lambda run: -priority(run))


def priority(run: RunState) -> int:
    """0 unless somebody moved it."""
    return priority_of(run.tags.get(schema.PRIORITY))


def priority_of(tag: object) -> int:
    """What a tag says, or the lack of one."""
    negative = isinstance(tag, str) and tag.startswith("-")
    number = number_of(str(tag)[1:] if negative else tag) or 0
    return -number if negative else number


def is_held(run: RunState) -> bool:
    return schema.HELD in run.tags


def hold(store: RunStore, run_ids: Sequence[str]) -> None:
    """Let runs wait until they are released; one that has started is left alone."""
    store.settings.require_trainer("hold a run")
    for run_id in run_ids:
        if store.state(run_id).status == schema.SCHEDULED:
            store.set_tags(run_id, {schema.HELD: "true"})


def release(store: RunStore, run_ids: Sequence[str]) -> None:
    """Let held runs start in their turn."""
    store.settings.require_trainer("release a run")
    for run_id in run_ids:
        store.delete_tag(run_id, schema.HELD)


def move_up(store: RunStore, run_ids: Sequence[str]) -> None:
    """Move runs one place up, past the one in front of each."""
    order = [run.run_id for run in waiting(store)]
    moved = set(run_ids)
    for place in range(1, len(order)):
        if order[place] in moved and order[place - 1] not in moved:
            order[place - 1], order[place] = order[place], order[place - 1]
    _arrange(store, order)


def move_to_front(store: RunStore, run_ids: Sequence[str]) -> None:
    """Let runs be the next ones, in the order they have among themselves."""
    moved = set(run_ids)
    order = [run.run_id for run in waiting(store)]
    _arrange(store, sorted(order, key=lambda run_id: run_id not in moved))


def _arrange(store: RunStore, wanted: Sequence[str]) -> None:
    """Raise priorities, of as few runs as needed, until the queue is in the order that is wanted."""
    store.settings.require_trainer("change the order of the queue")
    submitted = {run.run_id: place for place, run in enumerate(store.active())}
    runs = {run.run_id: run for run in waiting(store)}
    order = [run_id for run_id in wanted if run_id in runs]  # others have started in between
    raised: list[tuple[str, int]] = []
    least: tuple[int, int] | None = None  # priority and submission of the run behind
    for run_id in reversed(order):
        own, place = priority(runs[run_id]), submitted[run_id]
        if least is not None and (own, -place) < (least[0], -least[1]):
            own = least[0] if place < least[1] else least[0] + 1
            raised.append((run_id, own))
        least = (own, place)
    # The worker may look at any moment: written from the front, no run is ever before one it does not pass.
    for run_id, own in reversed(raised):
        store.set_tags(run_id, {schema.PRIORITY: str(own)})
