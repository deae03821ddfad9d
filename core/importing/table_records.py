"""The records in which tables are described: their first rows, their columns, and every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.images.reader import Row
from core.importing.layout import SUBSET_NAMES, subset_of
from core.system.text import shortened

SAMPLED = 200  # rows that are read to find the columns of a table


class TableRefused(ValueError):
    """A table cannot be read; the message says why."""


class LabelUnclear(TableRefused):
    """Several columns could be the label: the user must name it."""


class Entry(NamedTuple):
    """One row of a table.

    Args:
        name: of the image, for messages.
        image: a file's path as the table writes it, or a Row when the image is inside the table.
        label: as written.
        subset: the set; empty for none.
        group: empty for none.
        cells: all other cells, which may name the image's folder.
    """

    name: str
    image: str | Row
    label: str
    subset: str
    group: str
    cells: tuple[str, ...] = ()


class Sample(NamedTuple):
    """The beginning of a table.

    Args:
        header: names of columns, or their numbers where the table has no header.
        rows: the first rows, text only.
        has_header: the first row names the columns.
        inside: columns that hold images themselves.
        unreadable: why the text is in none of the encodings that were tried; empty if it is in one. Otherwise
            the rows are only partly right.
        read_as: the encoding of text that is not UTF-8.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    has_header: bool = True
    inside: tuple[str, ...] = ()
    unreadable: str = ""
    read_as: str = ""


class Columns(NamedTuple):
    """How a table is read.

    Args:
        roles: the column of each role.
        boxes: columns of bounding boxes, which are not used.
        found: roles whose column was found by its content, so that the user should be informed.
    """

    roles: Mapping[str, str]
    boxes: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def entry_of(name: str, image: str | Row, values: Mapping[str, str], cells: tuple[str, ...]) -> Entry:
    """Return a row as an Entry. Raises TableRefused for a set that does not exist."""
    written = values.get("part", "")
    subset = subset_of(written)
    if written and subset is None:
        raise TableRefused(
            f"a set must be one of {', '.join(SUBSET_NAMES)}. Received: {shortened(written.lower())}."
        )
    return Entry(name, image, values["label"], subset or "", values.get("group", ""), cells)
