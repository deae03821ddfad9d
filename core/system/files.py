"""Files that processes write for each other: replaced atomically, and checked when they are read."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

# Errors of a disk that is full, read-only or failing: the same write may succeed later.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
DISK_WORDS = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Input/output error")


def is_of_the_disk(error: BaseException) -> bool:
    """Return whether an error is one of `DISK`. HDF5 and others have it in their message alone."""
    if isinstance(error, OSError) and error.errno in DISK:
        return True
    return isinstance(error, (OSError, RuntimeError)) and any(words in str(error) for words in DISK_WORDS)


def disk_words(error: BaseException) -> str:
    """Describe an error that `is_of_the_disk` in a sentence for the user."""
    found = [words for words in DISK_WORDS if words in str(error)]
    reason = (isinstance(error, OSError) and error.strerror) or (found[0] if found else str(error))
    return f"The disk did not take what was to be written: {reason}. Try again once it does."


@contextmanager
def replacing(path: Path, *, sync: bool = True, private: bool = False) -> Iterator[Path]:
    """Replace a file atomically: a reader sees the old content or the new one, never a mixture.

    The one way in which this program replaces a file that another process may read meanwhile.

    Args:
        path: of the file; its folder exists.
        sync: wait until the disk has stored it; without that the file may be empty after a power cut.
        private: only the owner may read it.

    Yields:
        The path of an empty draft in the same folder, to be written and closed within the block. An error in
        the block removes the draft and leaves the file as it was.

    Raises:
        OSError: the disk did not accept a write.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.draft")
    draft.unlink(missing_ok=True)  # of a process that was killed and had the same number
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield draft
        if sync:
            _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until the disk has stored a file's content."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_whole(path: Path, text: str, *, sync: bool = True, private: bool = False) -> None:
    """Replace a text file atomically (UTF-8). Args and Raises: see `replacing`."""
    with replacing(path, sync=sync, private=private) as draft:
        draft.write_text(text, encoding="utf-8")


def parse_object(text: str) -> dict[str, Any]:
    """Parse a JSON object. Raises ValueError for anything else."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found


def read_state(path: Path) -> dict[str, Any] | None:
    """Read the JSON object in a file that a process of this program keeps its state in.

    Returns None where the file is missing, empty or damaged: its owner writes it again.
    """
    try:
        return parse_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def tail(path: Path, limit_bytes: int) -> str:
    """Return the last lines of a text file, at most `limit_bytes`; empty for a missing file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= limit_bytes else text.partition("\n")[2]
