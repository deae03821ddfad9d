"""Files that processes write for each other: whole or not at all, and never trusted to be so when read."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from threading import get_ident
from typing import Any

# What a disk says that is full, was made read-only or gives errors: all of it may pass.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
DISK_WORDS = ("No space left on device", "Disk quota exceeded", "Read-only file system", "Input/output error")


def is_of_the_disk(error: BaseException) -> bool:
    """Whether a disk did not take a write, or not now: HDF5 and others say so in their text alone."""
    if isinstance(error, OSError) and error.errno in DISK:
        return True
    return isinstance(error, (OSError, RuntimeError)) and any(words in str(error) for words in DISK_WORDS)


def disk_words(error: BaseException) -> str:
    """A sentence for somebody whose request failed with an error that `is_of_the_disk`."""
    said = [words for words in DISK_WORDS if words in str(error)]
    reason = (isinstance(error, OSError) and error.strerror) or (said[0] if said else str(error))
    return f"The disk did not take what was to be written: {reason}. Try again once it does."


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part, also after a power cut.

    Raises OSError, and leaves nothing behind, where the disk does not take it.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.draft")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds. Raises ValueError for whatever else it holds."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found


def read_state(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file that a process of ours keeps its state in.

    Returns None where there is none, or where the file is empty or damaged: its owner writes it again.
    """
    try:
        return parse_object(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def tail(path: Path, limit_bytes: int) -> str:
    """The last lines of a text file, at most so many bytes; empty when there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= limit_bytes else text.partition("\n")[2]
