"""Entries are found by name, and an unknown name is answered with those that exist."""

from dataclasses import dataclass

import pytest

from core.registry import Registry, UnknownName


@dataclass(frozen=True)
class Entry:
    name: str


def test_unknown_name_is_answered_with_the_names_that_exist() -> None:
    registry: Registry[Entry] = Registry("thing", "core.recipes")
    registry.register(Entry("b"))
    registry.register(Entry("a"))
    with pytest.raises(UnknownName, match=r"Unknown thing 'c'. Known: a, b."):
        registry.get("c")
    assert [entry.name for entry in registry] == ["a", "b"]


def test_a_name_is_registered_once() -> None:
    registry: Registry[Entry] = Registry("thing", "core.recipes")
    registry.register(Entry("a"))
    with pytest.raises(ValueError, match="registered twice"):
        registry.register(Entry("a"))
