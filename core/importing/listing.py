"""The images of a source as they are listed before any is read."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.datasets.records import SUBSETS, Problem
from core.images.name_encoding import Guess
from core.images.reader import Where
from core.importing.layout import Place, natural_order


class Item(NamedTuple):
    """An image to read. name: its path in the source, as text that can be shown and stored."""

    name: str
    place: Place
    where: Where
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """The images of a source in the order of their rows, and the problems found so far.

    Args:
        root: the folder or archive that the items are read from.
        title: its name for messages.
        guess: the encoding in which an archive's names were read, where it is not declared.
    """

    root: Path
    title: str
    items: list[Item]
    problems: list[Problem]
    notes: tuple[str, ...] = ()
    guess: Guess | None = None


def ordered(items: list[Item]) -> list[Item]:
    """Sort by set, class (2 before 10) and name: the order of the rows, the same on every machine."""
    rank = {label: i for i, label in enumerate(class_order({item.place.label for item in items}))}
    return sorted(
        items,
        key=lambda item: (SUBSETS.index(item.place.subset or "train"), rank[item.place.label], item.name),
    )


def class_order(labels: set[str]) -> list[str]:
    """Sort class names in natural order."""
    return sorted(labels, key=natural_order)


def shown(name: str) -> str:
    """Return a file's name as text: bytes that are not UTF-8 are written as \\xNN."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def class_name(text: str) -> str:
    """Return a class, group or folder name in Unicode's composed form (NFC), as it is compared and stored.

    macOS writes é as e and an accent, other systems as one character; both are one name.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", shown(text))


def unicode_notes(labels: Iterable[str]) -> tuple[str, ...]:
    """Return a note about classes whose names are written in several Unicode forms."""
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for label in set(labels):
        forms[class_name(label)].add(label)
    mixed = class_order({name for name, written in forms.items() if len(written) > 1})
    if not mixed:
        return ()
    return (
        "Names in composed and in decomposed Unicode characters, as Windows and macOS write them, "
        f"were read as one class: {', '.join(map(repr, mixed))}.",
    )


def some(names: Iterable[str], most: int = 5) -> str:
    """Return the first few names, quoted; a line break in one is written as \\n."""
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
