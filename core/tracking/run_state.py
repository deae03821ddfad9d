"""Status and tags of a run, which watchers read many times a minute."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.tracking import schema

PROGRESS_NUMBERS = ("at", "epoch", "epochs", "step", "steps", "images_per_second", "remaining_s")
LONGEST_NUMBER = 18  # digits


class UnknownRun(ValueError):
    """No run of the store has this id."""


@dataclass(frozen=True)
class RunState:
    """Status and tags of a run; `core.tracking.run.Run` has the rest of what it logged.

    Attributes:
        name: Empty where another program logged none.
        status: One of the states in `schema`.
    """

    run_id: str
    name: str
    status: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether ArchLab trained it; others in the store were logged by another program."""
        return bool(self.tags.get(schema.NUMBER))

    @property
    def cancel_requested(self) -> bool:
        return schema.CANCEL in self.tags

    @property
    def active(self) -> bool:
        return self.status in schema.ACTIVE

    @property
    def archived(self) -> bool:
        """Whether lists and comparisons leave it out."""
        return schema.ARCHIVED in self.tags

    @property
    def is_group(self) -> bool:
        """Whether it is the parent of a group, which trains nothing."""
        return schema.GROUP in self.tags

    @property
    def progress(self) -> dict[str, Any]:
        """The last progress that its training reported in its tag, or an empty mapping."""
        return progress_of(self.tags.get(schema.PROGRESS))


class Child(NamedTuple):
    """A run of a group, and its state."""

    run_id: str
    status: str


def progress_of(tag: object) -> dict[str, Any]:
    """Parse the progress in a tag of a run; an empty mapping for a tag that no training wrote.

    Any client may set a tag: one that is not JSON, or has something else where a number belongs, is ignored.
    """
    try:
        said = json.loads(tag) if isinstance(tag, str) else None
    except ValueError:
        return {}
    if not isinstance(said, dict) or not isinstance(said.get("phase", ""), str):
        return {}
    numbers = [said[name] for name in PROGRESS_NUMBERS if name in said]
    finite = all(type(one) in (int, float) and 0 <= one < math.inf for one in numbers)
    return said if finite and said.get("steps", 1) > 0 else {}


def number_of(tag: object) -> int | None:
    """Parse a tag as a whole number; None where it is none, since any client may set a tag."""
    return int(tag) if isinstance(tag, str) and tag.isdecimal() and len(tag) <= LONGEST_NUMBER else None


def highest_number(tags: Iterable[object]) -> int:
    """Return the highest number among the values of a tag; 0 when none is a number."""
    return max((number for tag in tags if (number := number_of(tag)) is not None), default=0)
