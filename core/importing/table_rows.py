"""Collect the images that tables name, each once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.datasets.records import SUBSETS, Problem
from core.images.reader import Where
from core.importing.layout import Place, looks_like_image
from core.importing.listing import (
    Item,
    Listing,
    class_name,
    class_order,
    ordered,
    shown,
    some,
    unicode_notes,
)
from core.importing.lookup import Files
from core.importing.table_choice import Table, Unused
from core.importing.table_records import TableRefused
from core.importing.tables import read_entries
from core.system.text import shortened

WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


class TableRows:
    """Collects the images that tables name, each once.

    Args:
        found: the place of each file of the source.
        files: finds the file that a table means.
        refused: files that cannot be read, and why.
    """

    def __init__(self, found: Mapping[str, Where], files: Files, refused: Mapping[str, str]):
        self._found = found
        self._files = files
        self._refused = refused
        self._items: dict[
            str | int, Item
        ] = {}  # by the file's name; by number where the image is in the table
        self._problems: list[Problem] = []
        self._conflicts: dict[str, set[str]] = {}  # labels of images that are listed with several
        self._boxed: set[str] = set()  # images with several boxes of one class
        self._labels: set[str] = set()
        self._whole_numbers: set[str] = set()

    def read(self, table: Table, encoding: str | None) -> None:
        """Add the rows of a table. Raises TableRefused when it cannot be read."""
        for entry in read_entries(table.path, table.data, table.sample, table.columns, encoding):
            subset = entry.subset or table.subset or None
            place = Place(subset, self._label(entry.label))
            where: Where = entry.image
            key: str | int = len(self._items)
            name = entry.name
            reason = "" if place.label else "has no label"
            if isinstance(entry.image, str):
                found = self._files.find(entry.image, table.base, table.rule, (*entry.cells, subset or ""))
                name = found.name or entry.name or f"a row of {table.path}"
                reason = reason or self._refusal(entry.image, found.reason)
                key, where = name, self._found.get(name, name)
            if not reason and key in self._items:
                reason = self._again(str(key), place, bool(table.columns.boxes))
            elif not reason:
                self._items[key] = Item(shown(name), place, where, class_name(entry.group))
            if reason:
                self._problems.append(Problem(shown(name), reason))

    def listing(self, root: Path, title: str, used: Sequence[Table], unused: Sequence[Unused]) -> Listing:
        """Return all images as a listing. Raises TableRefused when the tables name none of the source's."""
        for name, labels in self._conflicts.items():
            del self._items[name]
            told = " and ".join(map(repr, class_order(labels)))
            self._problems.append(Problem(shown(name), f"is listed with different labels: {told}"))
        if not self._items:
            raise TableRefused(self._nothing(title, used))
        items = list(self._items.values())
        inside = any(isinstance(key, int) for key in self._items)
        if not inside:
            items = ordered(items)  # images inside tables stay in the tables' order, in which they are read
        notes = [f"Labels were read from {', '.join(table.title for table in used)}."]
        if self._whole_numbers:
            notes.append(
                "Labels written with decimals were read as whole numbers: "
                f"{some(sorted(self._whole_numbers))}."
            )
        notes += [*unicode_notes(self._labels), *self._box_notes(used)]
        notes += [f"{one.name} was not used: {one.reason.rstrip('.')}." for one in unused if one.about_images]
        if not inside and (left := self._files.beside({*map(str, self._items), *self._conflicts})):
            names = ", ".join(shown(table.path) for table in used)
            notes.append(
                f"Images that {names} does not list were not imported: {len(left):,}, "
                f"for example {some(map(shown, left), 3)}."
            )
        return Listing(root, title, items, self._problems, tuple(notes))

    def _label(self, written: str) -> str:
        """Return the class of a label: `1.0`, which data frames make of 1, is 1."""
        self._labels.add(written)
        number = WHOLE_NUMBER.fullmatch(written)
        if number is None:
            return class_name(written)
        self._whole_numbers.add(written)
        return number[1]

    def _refusal(self, written: str, reason: str) -> str:
        path = written.strip().replace("\\", "/").removeprefix("./")
        return self._refused.get(shown(path), reason) if reason else ""

    def _again(self, name: str, place: Place, boxed: bool) -> str:
        """Return the problem of an image that is listed once more; empty when it is reported elsewhere."""
        before = self._items[name].place
        if before.label != place.label:
            self._conflicts.setdefault(name, {before.label}).add(place.label)
            return ""
        if before.subset != place.subset:
            later = max(before, place, key=lambda one: SUBSETS.index(one.subset or "train"))
            self._items[name] = self._items[name]._replace(place=later)
            return f"is listed for several sets; it was put in {later.subset}"
        if boxed:
            self._boxed.add(name)
            return ""
        return "is listed twice"

    def _box_notes(self, used: Sequence[Table]) -> list[str]:
        boxed = [table for table in used if table.columns.boxes]
        if not boxed:
            return []
        sentence = (
            f"{shown(boxed[0].path)} has bounding boxes, as for object detection: the columns "
            f"{', '.join(boxed[0].columns.boxes)} were not used, and every image is taken whole."
        )
        if several := self._boxed - set(self._conflicts):
            sentence += f" Images with several boxes of their class: {len(several):,}."
        if self._conflicts:
            sentence += (
                f" Images with boxes of different classes, which were left out: {len(self._conflicts):,}."
            )
        return [sentence]

    def _nothing(self, title: str, used: Sequence[Table]) -> str:
        """Explain why no row can be used: what the tables name, and which images exist."""
        names = ", ".join(shown(table.path) for table in used)
        if self._conflicts and any(table.columns.boxes for table in used):
            return (
                f"The table {names} is for object detection: every image has boxes of different classes. "
                "A dataset needs one class for each image."
            )
        told = (
            f" For example, {shortened(self._problems[0].name)} {self._problems[0].reason}."
            if self._problems
            else ""
        )
        there = [name for name in self._files.beside(set()) if looks_like_image(name)]
        return (
            f"The table {names} names no image of {title} with a label.{told} "
            f"Expected: paths below {title}, or names of images in it, with or without suffix. "
            f"Images there: {some(map(shown, there), 3) or 'none'}."
        )
