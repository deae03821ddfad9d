"""List the files below a folder; follow symbolic links only where they stay inside allowed folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from core.images.archive import EMPTY_FOLDER
from core.importing.layout import is_ignored

LEADS_OUT = "is a link that leads out of the folder; it is followed only into a folder that was allowed"
IN_A_LOOP = "is a link to a folder that it lies in itself"
SECOND_LINK = "is a second link to the same folder, which is read once"


class Fence:
    """Where links may lead: into the source's folder, or into one of the allowed ones."""

    def __init__(self, root: Path, allowed: Sequence[Path] = ()):
        self._folders = [os.path.realpath(folder) for folder in (root, *allowed)]

    def holds(self, path: Path | str) -> bool:
        """Return whether a file or folder is inside, with every link on its path resolved."""
        real = os.path.realpath(path)
        return any(_is_below(real, folder) for folder in self._folders)


@dataclass
class Walk:
    """The files below a folder.

    Args:
        files: paths below it.
        refused: (path, reason) of those that are not read.
        twice: those of `files` that links lead to as well; where folders name the classes, they are read only
            by the names of the links.
    """

    files: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    twice: set[str] = field(default_factory=set)


def walk(root: Path, allowed: Sequence[Path] = (), most: int | None = None) -> Walk:
    """List every file below a folder without system files, following links as far as the fence allows.

    A folder is read through one link only, and never inside itself, so that links cannot make a source
    endless.

    Args:
        root: the folder.
        allowed: further folders that links may lead into.
        most: files and folders that are looked at; ValueError, a sentence, where there are more. None: all.
    """
    fence, found = Fence(root, allowed), Walk()
    targets: dict[str, str] = {}  # where followed links lead, resolved, and the folder that the last lies in
    own: list[str] = []  # files that are reached without a link
    pending: list[tuple[str, tuple[str, ...]]] = [("", ())]
    left = None if most is None else most + 1
    while pending:
        folder, way = pending.pop()  # way: the folders in which the links to here lie
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(islice(listing, left), key=lambda entry: entry.name)
        except OSError as error:
            found.refused.append((folder, f"cannot be opened ({error.strerror})"))
            continue
        if left is not None and (left := left - len(entries)) <= 0:
            raise ValueError(f"'{root}' holds more than {most:,} files and folders; name a folder in it.")
        if folder and not entries:
            found.refused.append((folder, EMPTY_FOLDER))
        for entry in entries:
            if is_ignored((entry.name,)):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            passed, is_link = way, entry.is_symlink()
            if is_link:
                passed = (*way, os.path.realpath(root / folder))
                if reason := _link_refusal(entry, fence, targets, passed):
                    found.refused.append((path, reason))
                    continue
                targets[os.path.realpath(entry.path)] = passed[-1]
            if os.path.isdir(entry.path) if is_link else entry.is_dir():
                pending.append((path, passed))
            elif reason := file_refusal(entry.path):
                found.refused.append((path, reason))
            else:
                found.files.append(path)
                if not passed:
                    own.append(path)
    if targets:
        base = os.path.realpath(root)
        found.twice = {path for path in own if _is_linked(os.path.join(base, path), targets)}
    return found


def file_refusal(path: str | Path) -> str:
    """Return why a path is not read as a file; empty if it is."""
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        return f"cannot be opened ({getattr(error, 'strerror', None) or error})"
    return "" if regular else "is not a regular file"


def _is_linked(path: str, targets: Mapping[str, str]) -> bool:
    """Return whether a link leads to the file, or to a folder that contains it.

    Two folders with links to each other do not count: neither name of their images is the original one.
    """
    for target in _upwards(path):
        if target in targets:
            place = targets[target]
            return not any(_is_below(targets.get(folder, ""), target) for folder in _upwards(place))
    return False


def _upwards(path: str) -> Iterator[str]:
    """Return a resolved path and the folders above it."""
    yield path
    while (above := os.path.dirname(path)) != path:
        path = above
        yield path


def _link_refusal(
    entry: os.DirEntry[str], fence: Fence, targets: Mapping[str, str], way: Sequence[str]
) -> str:
    """Return why a link is not followed; empty if it is. way: the folders of the links that lead to it."""
    if not fence.holds(entry.path):
        return LEADS_OUT
    if not os.path.isdir(entry.path):
        return ""
    target = os.path.realpath(entry.path)
    if any(_is_below(folder, target) for folder in way):
        return IN_A_LOOP
    return SECOND_LINK if target in targets else ""


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
