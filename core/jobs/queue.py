"""The queue: which run starts next. It keeps nothing itself: order and holds are tags of the runs.

So a crash loses nothing, and the queue cannot contradict the store.
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
    """Return the runs that wait for a slot of this installation, in the order in which they will start.

    By priority, the highest first, then by submission. Held runs keep their place.
    """
    here = home_id(store.settings)  # read from a file, once per call: the worker polls four times a second
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
    """Return whether a run was launched by this installation; others may share the store."""
    return run.tags.get(schema.HOME) == home_id(store.settings)


def in_order(runs: Sequence[State]) -> list[State]:
    """Sort runs that wait, given in the order of submission, into the order in which they will start."""
    return sorted(runs, key=lambda run: -priority(run))


def priority(run: RunState) -> int:
    """Return the priority of a run; 0 unless it was moved."""
    return priority_of(run.tags.get(schema.PRIORITY))


def priority_of(tag: object) -> int:
    """Return the priority that a tag holds; 0 without a tag."""
    negative = isinstance(tag, str) and tag.startswith("-")
    number = number_of(str(tag)[1:] if negative else tag) or 0
    return -number if negative else number


def is_held(run: RunState) -> bool:
    """Return whether a run waits until it is released."""
    return schema.HELD in run.tags


def hold(store: RunStore, run_ids: Sequence[str]) -> None:
    """Hold queued runs until they are released. A run that has started is not affected."""
    store.settings.require_trainer("hold a run")
    for run_id in run_ids:
        if store.state(run_id).status == schema.SCHEDULED:
            store.set_tags(run_id, {schema.HELD: "true"})


def release(store: RunStore, run_ids: Sequence[str]) -> None:
    """Release held runs."""
    store.settings.require_trainer("release a run")
    for run_id in run_ids:
        store.delete_tag(run_id, schema.HELD)


def move_up(store: RunStore, run_ids: Sequence[str]) -> None:
    """Move each run one place up in the queue."""
    order = [run.run_id for run in waiting(store)]
    moved = set(run_ids)
    for place in range(1, len(order)):
        if order[place] in moved and order[place - 1] not in moved:
            order[place - 1], order[place] = order[place], order[place - 1]
    _arrange(store, order)


def move_to_front(store: RunStore, run_ids: Sequence[str]) -> None:
    """Move runs to the front of the queue; their own order is kept."""
    moved = set(run_ids)
    order = [run.run_id for run in waiting(store)]
    _arrange(store, sorted(order, key=lambda run_id: run_id not in moved))


def _arrange(store: RunStore, wanted: Sequence[str]) -> None:
    """Raise the priorities of as few runs as necessary to bring the queue into an order."""
    store.settings.require_trainer("change the order of the queue")
    submitted = {run.run_id: place for place, run in enumerate(store.active())}
    runs = {run.run_id: run for run in waiting(store)}
    order = [run_id for run_id in wanted if run_id in runs]  # others have started meanwhile
    raised: list[tuple[str, int]] = []
    least: tuple[int, int] | None = None  # priority and submission of the run behind
    for run_id in reversed(order):
        own, place = priority(runs[run_id]), submitted[run_id]
        if least is not None and (own, -place) < (least[0], -least[1]):
            own = least[0] if place < least[1] else least[0] + 1
            raised.append((run_id, own))
        least = (own, place)
    # The worker may read at any moment: written from the front, the order is never worse than before.
    for run_id, own in reversed(raised):
        store.set_tags(run_id, {schema.PRIORITY: str(own)})
