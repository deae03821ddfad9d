"""The order of waiting runs: by priority and submission, as people move, hold and release them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.jobs import queue
from core.jobs.slots import Slots
from core.system.settings import NotAllowed
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.homes import SMALL


def order(store: RunStore, names: dict[str, str]) -> str:
    """The queue as one letter a run."""
    letters = {run_id: letter for letter, run_id in names.items()}
    return "".join(letters[run.run_id] for run in queue.waiting(store))


@pytest.fixture
def names(store: RunStore) -> dict[str, str]:
    return {letter: store.create(SMALL) for letter in "abcde"}


def test_runs_start_in_the_order_of_submission_unless_moved(store: RunStore, names: dict[str, str]) -> None:
    assert order(store, names) == "abcde"
    queue.move_up(store, [names["c"]])
    assert order(store, names) == "acbde"
    queue.move_up(store, [names["c"]])
    assert order(store, names) == "cabde"
    queue.move_up(store, [names["c"]])  # it is the first already
    assert order(store, names) == "cabde"
    queue.move_to_front(store, [names["e"], names["b"]])
    assert order(store, names) == "becad"
    queue.move_up(store, [names["c"], names["a"]])  # together they pass the one in front
    assert order(store, names) == "bcaed"


def test_moving_changes_as_few_runs_as_it_can(store: RunStore, names: dict[str, str]) -> None:
    queue.move_up(store, [names["e"]])
    priorities = {letter: queue.priority(store.state(run_id)) for letter, run_id in names.items()}
    assert order(store, names) == "abced"
    assert priorities == {"a": 1, "b": 1, "c": 1, "d": 0, "e": 1}


class Watched(RunStore):
    """Notes the order of the queue after each write, as a worker might see it."""

    seen: list[str]

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        super().set_tags(run_id, tags)
        self.seen.append("".join(run.name for run in queue.waiting(self)))


def test_a_run_that_is_moved_is_never_further_in_front_than_it_should_be(store: RunStore) -> None:
    ids = {letter: store.create(SMALL.with_values({"name": letter})) for letter in "abcde"}
    watched = Watched(store.settings)
    watched.seen = []
    queue.move_up(watched, [ids["e"]])
    assert watched.seen == ["abcde", "abcde", "abcde", "abced"]


def test_a_held_run_keeps_its_place(store: RunStore, names: dict[str, str]) -> None:
    queue.hold(store, [names["b"]])
    assert order(store, names) == "abcde"
    assert [queue.is_held(run) for run in queue.waiting(store)] == [False, True, False, False, False]
    queue.release(store, [names["b"], names["c"]])
    assert not any(queue.is_held(run) for run in queue.waiting(store))


def test_what_does_not_wait_is_neither_held_nor_moved(store: RunStore, names: dict[str, str]) -> None:
    store.set_status(names["a"], schema.RUNNING)
    foreground = store.create(SMALL, {schema.FOREGROUND: "true"})
    queue.hold(store, [names["a"]])
    queue.move_to_front(store, [names["a"], foreground])
    assert order(store, names) == "bcde"
    assert not {schema.HELD, schema.PRIORITY} & set(store.state(names["a"]).tags)
    assert schema.PRIORITY not in store.state(foreground).tags


def test_a_priority_that_is_no_number_is_none(store: RunStore, names: dict[str, str]) -> None:
    store.set_tags(names["e"], {schema.PRIORITY: "high"})
    assert order(store, names) == "abcde"


def test_a_viewer_changes_nothing(
    store: RunStore, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "settings", replace(store.settings, role="viewer"))
    for change in (queue.hold, queue.release, queue.move_up, queue.move_to_front):
        with pytest.raises(NotAllowed):
            change(store, [names["e"]])
    assert order(store, names) == "abcde"


def test_devices_of_one_training_differ() -> None:
    slots = Slots(["0", "1", "0", "1"])
    assert slots.take(2) == ["0", "1"]
    assert slots.take(1) == ["0"]
    assert slots.take(2) is None  # one is free, two are wanted
    assert slots.take(1) == ["1"]
    assert slots.take(1) is None
    slots.give(["0"])
    assert slots.take(1) == ["0"]


def test_a_training_gets_the_device_it_wants_and_the_cpu_only_when_it_says_so() -> None:
    slots = Slots(["0", "1", "0", "1", "cpu"])
    assert slots.take(1, "1") == ["1"]
    assert slots.take(1, "1") == ["1"]
    assert slots.take(1, "1") is None
    assert [slots.take(), slots.take(), slots.take()] == [["0"], ["0"], None]
    assert slots.take(1, "cpu") == ["cpu"]
    assert not slots.any_free
    assert (slots.shared("0"), slots.shared("cpu")) == (2, 1)
    assert Slots(["cpu"]).take() == ["cpu"]
