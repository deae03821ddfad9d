"""What is ticked in a table of names that a search and new costs draw anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Shown(NamedTuple):
    """The rows of a table as Streamlit knows them: it selects by number and takes the first selection once.

    Attributes:
        number: Of this table; part of the key of the widget, since other rows need another widget.
        names: In the order of the rows.
        first: Numbers of the rows that it begins with as selected.
    """

    number: int = 0
    names: tuple[str, ...] = ()
    first: tuple[int, ...] = ()


def shown(before: Shown, names: Sequence[str], ticked: Sequence[str]) -> Shown:
    """Return the table as before where its rows are the same, else one that begins with what is ticked."""
    if before.names == tuple(names):
        return before
    first = tuple(row for row, name in enumerate(names) if name in ticked)
    return Shown(before.number + 1, tuple(names), first)


def ticked_after(ticked: Sequence[str], table: Shown, rows: Sequence[int]) -> list[str]:
    """Return all that is ticked once these rows are selected.

    What the table does not show stays ticked; what is new comes last.
    """
    here = [table.names[row] for row in rows if row < len(table.names)]
    kept = [name for name in ticked if name in here or name not in table.names]
    return [*kept, *(name for name in here if name not in kept)]
