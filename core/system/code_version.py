"""Versions of the program's own source, for processes and caches that may outlive an update of it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.system.settings import PROGRAM

ASK_S = 1.0  # how long the version of a running program's code is taken to stay what it is


def package_version(package: str = "", without: Collection[str] = ()) -> str:
    """Return what changes with Keras and with every Python file of a package of the program, as it is now.

    package: below `core`, as `architectures`; empty: all of `core`. without: folders directly below it that
    do not count.
    """
    root = PROGRAM / "core" / package
    files = []
    for folder, inside, names in os.walk(root):
        if folder == str(root):
            inside[:] = [name for name in inside if name not in without]
        # an editor's lock file is a link to nothing
        files += [Path(folder, name) for name in names if name.endswith(".py") and name[0] != "."]
    return hashlib.sha256("".join([_version_of_keras(), *file_digests(sorted(files))]).encode()).hexdigest()


def _version_of_keras() -> str:
    try:
        return version("keras")
    except PackageNotFoundError:  # it is being replaced
        return ""


def process_version(without: tuple[str, ...]) -> str:
    """Return the version of the code that a process started now would run, at most a second old.

    without: the packages below `core` that it never imports.
    """
    then, known = _asked.get(without, (-ASK_S, ""))
    if time.monotonic() - then >= ASK_S:
        known = package_version(without=without)
        _asked[without] = time.monotonic(), known
    return known


_asked: dict[tuple[str, ...], tuple[float, str]] = {}


def file_digests(files: Iterable[Path]) -> list[str]:
    """Return a hash of the contents of each file, read again only when its time or size changes."""
    return [_digest_of(path) for path in files]


_digests: dict[tuple[Path, int, int], str] = {}  # by path, time and size: a page asks for dozens of models


def _digest_of(path: Path) -> str:
    try:
        state = path.stat()
    except FileNotFoundError:  # the program is being updated
        return ""
    key = (path, state.st_mtime_ns, state.st_size)
    if key not in _digests:
        _digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _digests[key]
