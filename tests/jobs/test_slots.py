"""Slots: a training gets as many different devices as it has, in the order of asking, or gives up."""

from __future__ import annotations

from threading import Event, Thread

from core.jobs.slots import Slots
from tests.waiting import wait_for


def never() -> bool:
    return False


def test_devices_of_one_training_differ() -> None:
    slots = Slots(["0", "1", "0", "1"])
    assert slots.take(2, never) == ["0", "1"]
    assert slots.take(1, never) == ["0"]
    assert slots.take(1, never) == ["1"]


def test_who_waits_for_two_is_not_passed_and_can_give_up() -> None:
    slots, cancelled, found = Slots(["0", "1"]), Event(), []
    taken = slots.take(1, never)
    assert taken == ["0"]
    both = Thread(target=lambda: found.append(slots.take(2, cancelled.is_set)))
    both.start()
    wait_for(slots._first.locked)
    one = Thread(target=lambda: found.append(slots.take(1, never)))
    one.start()
    one.join(0.2)
    assert found == []  # "1" is free, but somebody waits for it
    cancelled.set()
    both.join()
    one.join()
    assert found == [None, ["1"]]
    slots.give(taken)
    assert slots.take(1, never) == ["0"]
