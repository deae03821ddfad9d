"""Artifacts of a store elsewhere, kept on this machine: each is downloaded once, and the oldest go."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

LIMIT_BYTES = 4 << 30  # of all that is kept


def kept(
    cache: Path,
    owner: str,
    name: str,
    download: Callable[[Path], Path],
    *,
    renew: bool = False,
    limit: int = LIMIT_BYTES,
) -> Path:
    """The file or folder of one artifact, downloaded when it is not here.

    Args:
        cache: Folder of all downloads; created when it is missing.
        owner: The run or model that has it.
        name: Which artifact of its owner.
        download: Writes the artifact into an empty folder and returns where it lies in it.
        renew: Download it again: it may have changed.
        limit: Bytes; beyond it the entries that were not asked for longest are deleted, never the newest.
    """
    entry = cache / quote(owner, safe="") / quote(name, safe="")
    entry.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".lock"):
        if renew or not entry.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".part-") as folder:
                found = download(Path(folder))
                if entry.is_dir():
                    shutil.rmtree(entry)
                found.replace(entry)
            _make_room(cache, entry, limit)
        os.utime(entry)
    return entry


def _make_room(cache: Path, newest: Path, limit: int) -> None:
    entries = sorted(cache.glob("[!.]*/*"), key=lambda path: path.stat().st_mtime, reverse=True)
    entries.sort(key=lambda path: path != newest)
    used = 0
    for entry in entries:
        used += _size(entry)
        if used > limit and entry != newest:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
