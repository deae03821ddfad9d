"""Local copies of artifacts of a remote store: each is downloaded once, and the oldest are deleted."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from core.system.settings import SettingsError

LIMIT_BYTES = 4 << 30  # of all copies together
ABANDONED_S = 24 * 3600.0  # a download older than this was abandoned: its process was killed
# Errors of a disk that cannot be written, and those that reading may raise as well
FULL = {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}
CLOSED = {errno.EACCES, errno.EEXIST, errno.EIO, errno.ENOTDIR, errno.EPERM, errno.EROFS}


class NotWritable(SettingsError):
    """The folder of downloads cannot be written; the artifact itself may well exist."""

    def __init__(self, cache: Path, number: int):
        super().__init__(
            f"The folder {cache}, which keeps downloads from the tracking store, cannot be written: "
            f"{os.strerror(number)}."
        )


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

    Callers that want the same artifact wait for one download; others do not wait for it.

    Args:
        cache: Folder of all downloads; created when it is missing.
        owner: The run or model that has it.
        name: Which artifact of its owner.
        download: Writes the artifact into an empty folder and returns where it lies in it.
        renew: Download it again: it may have changed.
        limit: Bytes; beyond it the entries that were not asked for longest are deleted, never the newest.

    Raises:
        NotWritable: the disk takes no download.
        Exception: whatever else `download` raises.
    """
    entry = cache / quote(owner, safe="") / quote(name, safe="")
    with _disk_errors(cache):
        entry.parent.mkdir(parents=True, exist_ok=True)
        (cache / ".locks").mkdir(exist_ok=True)
        with _lock(cache, entry):
            if renew or not entry.exists():
                with tempfile.TemporaryDirectory(dir=cache, prefix=".part-") as folder:
                    found = download(Path(folder))
                    if entry.is_dir():
                        shutil.rmtree(entry)
                    entry.parent.mkdir(parents=True, exist_ok=True)  # its owner may have been forgotten
                    found.replace(entry)
                with FileLock(cache / ".lock"):
                    _make_room(cache, entry, limit)
            os.utime(entry)
    return entry


def _lock(cache: Path, entry: Path, timeout_s: float = -1) -> FileLock:
    name = sha256(str(entry.relative_to(cache)).encode()).hexdigest()
    return FileLock(cache / ".locks" / name, timeout=timeout_s)


def _make_room(cache: Path, newest: Path, limit: int) -> None:
    """Delete the oldest copies beyond the limit; those that another process is downloading stay."""
    ages = {path: _changed(path) for path in cache.glob("[!.]*/*")}
    entries = sorted(ages, key=lambda path: (path != newest, -ages[path]))
    used = 0
    for entry in entries:
        used += _size(entry)
        if used > limit and entry != newest:
            with suppress(Timeout), _lock(cache, entry, 0) as lock:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
                Path(lock.lock_file).unlink()  # who waits for it looks whether the file is still there
    for part in cache.glob(".part-*"):
        if time.time() - _changed(part) > ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)


def _changed(path: Path) -> float:
    """When a path was changed last, in seconds since 1970; 0 when it was deleted meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    total = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


@contextmanager
def _disk_errors(cache: Path) -> Iterator[None]:
    """Raise NotWritable for what this machine's disk fails with, MLflow's account of it included."""
    try:
        yield
    except Exception as error:
        number = _number_in(error)
        if number is not None and (number in FULL or (number in CLOSED and str(cache) in str(error))):
            raise NotWritable(cache, number) from error
        raise


def _number_in(error: BaseException | None) -> int | None:
    """The number of the system's error behind an error.

    Of a download that failed MLflow gives the words alone, in a list, as the cause of another error.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if (found := re.search(r"^\[Errno (\d+)\]", str(error), re.MULTILINE)) is not None:
            return int(found.group(1))
        error = error.__cause__
    return None
