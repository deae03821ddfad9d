"""What lies in a folder or zip archive: the images with their class and part, and what will not be read."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.datasets.archive import Member, list_archive, read_member
from core.datasets.decode import MAX_FILE_BYTES, Unreadable
from core.datasets.layout import Place, Steps, is_ignored, natural_order, understand
from core.datasets.records import PARTS, Problem

Where = str | Member  # a path below the folder, or a member of the archive


class Item(NamedTuple):
    """An image to read. name: its path in the source, as text that can be shown and stored."""

    name: str
    place: Place
    where: Where
    group: str | None = None


@dataclass(frozen=True)
class Listing:
    """The images of a source, ordered by part, class and name, and the problems found so far."""

    root: Path
    items: list[Item]
    problems: list[Problem]

    @property
    def is_archive(self) -> bool:
        return self.root.is_file()


class Reader:
    """Reads the files of a source: a folder's, or an archive's members. To be closed after use."""

    def __init__(self, root: Path):
        self.root = root
        self._archive = os.open(root, os.O_RDONLY) if root.is_file() else None

    def read(self, where: Where) -> bytes:
        """The bytes of one file. Raises Unreadable when they cannot be had."""
        if isinstance(where, Member):
            assert self._archive is not None
            return read_member(self._archive, where)
        try:
            with open(self.root / where, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise Unreadable(f"has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
                return file.read()
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror})") from error

    def close(self) -> None:
        if self._archive is not None:
            os.close(self._archive)


def list_source(root: Path) -> Listing:
    """List a folder or a zip archive; hidden files, __MACOSX and the like are passed over.

    Raises ArchiveRefused or LayoutRefused when it makes no dataset as a whole.
    """
    found: list[tuple[str, Where]] = []
    problems: list[Problem] = []
    if root.is_dir():
        for path, reason in _walk(root):
            if reason:
                problems.append(Problem(shown(path), reason))
            else:
                found.append((path, path))
    else:
        members, refused = list_archive(root)
        found.extend(members)
        problems.extend(Problem(shown(name), reason) for name, reason in refused)
    paths: list[Steps] = []
    locations: list[Where] = []
    for path, where in found:
        steps = tuple(step for step in path.split("/") if step not in ("", "."))
        if steps and not is_ignored(steps):
            paths.append(steps)
            locations.append(where)
    places, misplaced = understand(paths)
    problems.extend(Problem(shown(problem.name), problem.reason) for problem in misplaced)
    items = [
        Item(shown("/".join(steps)), Place(place.part, shown(place.label)), where)
        for steps, place, where in zip(paths, places, locations, strict=True)
        if place is not None
    ]
    return Listing(root, ordered(items), problems)


def ordered(items: list[Item]) -> list[Item]:
    """By part, class (2 before 10) and name: the order of the rows, the same on every machine."""
    rank = {label: i for i, label in enumerate(class_order({item.place.label for item in items}))}
    return sorted(
        items,
        key=lambda item: (PARTS.index(item.place.part or "train"), rank[item.place.label], item.name),
    )


def class_order(labels: set[str]) -> list[str]:
    """Class names as people order them."""
    return sorted(labels, key=natural_order)


def shown(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are written as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_zip(path: Path) -> bool:
    """Whether a file claims to be a zip archive."""
    return zipfile.is_zipfile(path)


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Files below a folder as (path, ""), and as (path, reason) what is not read; never leaves the folder."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            yield folder, f"cannot be opened ({error.strerror})"
            continue
        if folder and not entries:
            yield folder, "is an empty folder: no class was made of it"
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_ignored((entry.name,)):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            elif reason := _refusal(root, entry):
                yield path, reason
            else:
                yield path, ""


def _refusal(root: Path, entry: os.DirEntry[str]) -> str:
    """Why an entry that is no folder is not read; empty when it is."""
    if entry.is_symlink():
        if not Path(entry.path).resolve().is_relative_to(root.resolve()):
            return "is a link that leads out of the folder"
        if entry.is_dir():
            return "is a link to a folder; links to folders are not followed"
    try:
        regular = stat.S_ISREG(entry.stat().st_mode)
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    return "" if regular else "is not a regular file"
