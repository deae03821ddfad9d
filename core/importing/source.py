"""List the images of a source before any is decoded, or refuse it in one sentence."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import is_zipfile

from core.images.archive import ArchiveRefused
from core.images.decode import Unreadable
from core.importing.layout import LayoutRefused
from core.importing.list_source import list_source
from core.importing.listing import Listing
from core.importing.request import ImportRefused
from core.importing.table_records import TableRefused
from core.importing.tables import SUFFIXES
from core.system.settings import absolute

MAX_PATH = 200  # characters of a path in an error message


def list_for_import(
    path: Path, columns: Mapping[str, str] | None, encoding: str | None, links: Sequence[str | Path]
) -> Listing:
    """List what is at a path. Raises ImportRefused when it cannot be imported."""
    if "\0" in str(path) or not os.path.exists(found := absolute(path)):  # accepts a path of any length
        raise ImportRefused(f"There is no folder or file {str(path)[:MAX_PATH]!r}.")
    path = found
    readable = path.is_dir() or (path.is_file() and (path.suffix.lower() in SUFFIXES or is_zipfile(path)))
    if not readable:
        raise ImportRefused(
            f"The source must be a folder, a zip archive or a table ({', '.join(SUFFIXES)}). "
            f"Received: the file {path.name}."
        )
    allowed = [Path(os.path.expanduser(folder)) for folder in links]
    if allowed and not path.is_dir() and is_zipfile(path):
        raise ImportRefused(
            f"`links` is for folders: links in an archive are not read. Received: {path.name}."
        )
    for folder in allowed:
        if not os.path.isdir(folder):
            raise ImportRefused(
                f"`links` must name folders that links may lead into. Received: {str(folder)[:MAX_PATH]!r}."
            )
    try:
        with _collector_paused():
            return list_source(path, columns, encoding, allowed)
    except (ArchiveRefused, LayoutRefused, TableRefused, Unreadable) as error:
        raise ImportRefused(str(error)) from error
    except OSError as error:
        raise ImportRefused(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause garbage collection, which would scan a listing's million long-lived tuples again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
