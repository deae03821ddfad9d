"""List the images of a source by the tables in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.images.reader import Where
from core.importing.listing import (
    Listing,
    shown,
)
from core.importing.lookup import Files
from core.importing.table_choice import Unused, choose_tables
from core.importing.table_records import TableRefused
from core.importing.table_rows import TableRows


def list_tables(
    root: Path,
    title: str,
    found: Mapping[str, Where],
    files: Files,
    wanted: Mapping[str, str],
    encoding: str | None,
    refused: Mapping[str, str],
) -> tuple[Listing | None, list[Unused]]:
    """List the images that the source's tables name; no listing if no table names images and labels.

    Args:
        root: the folder or archive.
        title: its name for messages.
        found: the source's files; the tables among them are read, the outermost first.
        files: finds the file that a table means.
        wanted: columns by role that the user named.
        encoding: of tables that are not in UTF-8.
        refused: files that cannot be read, and why.

    Returns:
        The listing, and the tables that were not used.

    Raises:
        TableRefused: a table names images of the source but cannot be used.
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
