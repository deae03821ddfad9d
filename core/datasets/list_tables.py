"""The images of a source by the tables in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.datasets.listing import (
    Listing,
    shown,
)
from core.datasets.lookup import Files
from core.datasets.reader import Where
from core.datasets.table_choice import Unused, choose_tables
from core.datasets.table_records import TableRefused
from core.datasets.table_rows import TableRows


def list_tables(
    root: Path,
    title: str,
    found: Mapping[str, Where],
    files: Files,
    wanted: Mapping[str, str],
    encoding: str | None,
    refused: Mapping[str, str],
) -> tuple[Listing | None, list[Unused]]:
    """The images that the source's tables name; no listing when no table names images and labels.

    Args:
        root: the folder or archive. title: what a person calls it.
        found: the source's files; those that are tables are looked at, the outermost first.
        files: the files that a table may name.
        wanted: columns by role that a person named. encoding: of tables that are not in UTF-8.
        refused: files that cannot be read, and why.

    Returns the listing, and the tables that were not used.
    Raises TableRefused when a table is about the source's images but cannot be used.
    """
    used, unused = choose_tables(root, found, files, wanted, encoding)
    if not used:
        unclear = [one for one in unused if one.unclear or wanted]
        if unclear:
            raise TableRefused(f"The table {unclear[0].name} cannot be used: {unclear[0].reason}")
        return None, unused
    rows = TableRows(found, files, refused)
    for table in used:
        try:
            rows.read(table, encoding)
        except TableRefused as error:
            raise TableRefused(f"The table {shown(table.path)} cannot be used: {error}") from error
    return rows.listing(root, title, used, unused), unused
