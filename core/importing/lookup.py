"""Find the file of a source that a table means, in whatever form it writes the path.

Tables write paths below the source or below themselves, names without their folder or without the suffix, and
paths on the machine on which the table was made. Only files of the source can be found.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from core.importing.layout import looks_like_image, natural_order, subset_of

LEADS_OUT = "has a path that leads out of the folder"
ABSOLUTE = re.compile(r"^([A-Za-z]:)?[/\\]")


class FileMatch(NamedTuple):
    """The file that a table means, or "" and the reason.

    Args:
        several: more than one file may be meant.
        by_suffix: these are images that differ only in their suffix.
    """

    name: str
    reason: str = ""
    several: bool = False
    by_suffix: bool = False


class Rule(NamedTuple):
    """How the paths of one table are read.

    Args:
        above: how many of their leading folders are above the source.
        anywhere: they name files in any folder of it.
    """

    above: int = 0
    anywhere: bool = False


PLAIN = Rule()


class Files:
    """The files of a source, found by the paths in tables.

    Args:
        names: returns the paths below the source with "/" between folders; called when they are first needed.
        missing: reason for a file that does not exist.
        root: the source, if it is a folder, so that absolute paths in it are recognised.
        reach: returns whether a path below the folder is a file that may be read, as by a second link to it.
        alone: call `reach` before `names`, and consider only folders that contain listed images.
    """

    def __init__(
        self,
        names: Callable[[], Iterable[str]],
        missing: str,
        root: Path | None = None,
        reach: Callable[[str], bool] | None = None,
        alone: bool = False,
    ):
        self._names = names
        self._missing = missing
        self._root = _steps(root.as_posix()) if root is not None else ()
        self._reach = reach
        self._alone = alone

    def rule(self, paths: Sequence[str], base: str = "") -> Rule:
        """Return the simplest rule by which half of the paths are found, or else the one that finds most.

        One rule holds for a whole table: found one by one, a missing image would be taken for another of its
        name.
        """
        rules = [
            Rule(above, anywhere) for above in range(_in_common(paths) + 1) for anywhere in (False, True)
        ]
        best, most = Rule(), 0
        for rule in rules:
            found = [self.find(path, base, rule) for path in paths]
            count = sum(bool(one.name) or one.several for one in found)
            if 2 * count >= len(paths):
                return rule
            if count > most:
                best, most = rule, count
        return best

    def find(self, written: str, base: str = "", rule: Rule = PLAIN, hints: Iterable[str] = ()) -> FileMatch:
        """Find the file that a row means.

        Args:
            written: the path in the table.
            base: the table's own folder, which paths may be relative to, as to the source.
            rule: from `rule`, for the table.
            hints: other cells of the row, and its set, which may name a folder.
        """
        steps = _steps(written)
        if not steps:
            return FileMatch("", "names no file")
        absolute = ABSOLUTE.match(written.strip()) is not None
        if absolute and self._root and steps[: len(self._root)] == self._root:
            steps, absolute = steps[len(self._root) :], False
        here = _resolved(steps if absolute else (*_steps(base), *steps))
        if here is None:
            return FileMatch("", LEADS_OUT)
        steps = here if ".." in steps else steps
        if not rule.above and not absolute and (names := self._at("/".join(here))):
            return _nearest(names, hints)
        tail = steps[rule.above :]
        if (rule.above or not absolute) and (names := self._at("/".join(tail))):
            return _nearest(names, hints)
        if rule.anywhere and (names := self._ending(tail)):
            return _nearest(names, hints)
        return FileMatch("", LEADS_OUT if absolute and not rule.above else self._missing)

    def beside(self, listed: Collection[str], near: bool = False) -> list[str]:
        """Return the images of the source that are not in `listed`.

        near: only those in folders of listed images; always so for a table that is the source itself.
        """
        names: Iterable[str] = self._near(listed) if listed and self._alone else self._exact.values()
        folders = {name.rpartition("/")[0] for name in listed}
        left = (name for name in names if not near or name.rpartition("/")[0] in folders)
        return sorted(
            (name for name in left if looks_like_image(name) and name not in listed), key=natural_order
        )

    def _near(self, listed: Collection[str]) -> Iterator[str]:
        for folder in {name.rpartition("/")[0] for name in listed}:
            with suppress(OSError):
                for entry in os.scandir(Path("/", *self._root, folder)):
                    yield f"{folder}/{entry.name}" if folder else entry.name

    @cached_property
    def _exact(self) -> dict[str, str]:
        return {_key(name): name for name in self._names()}

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        """Return images by their path without suffix."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for key, name in self._exact.items():
            if looks_like_image(key):
                found[key.rpartition(".")[0]].append(name)
        return found

    @cached_property
    def _by_file(self) -> dict[str, list[str]]:
        """Return paths by file name, and images also by their name without suffix, ignoring case."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for key, name in self._exact.items():
            file = key.rpartition("/")[2].casefold()
            found[file].append(name)
            if looks_like_image(file):
                found[file.rpartition(".")[0]].append(name)
        return found

    def _at(self, path: str) -> list[str]:
        """Return the file at a path, or the images there with a suffix."""
        if self._alone and self._reach and self._reach(path):
            return [path]
        key = _key(path)
        if key in self._exact:
            return [self._exact[key]]
        found = self._by_stem.get(key, [])
        return [path] if not found and self._reach and self._reach(path) else found

    def _ending(self, tail: Sequence[str]) -> list[str]:
        """Return files whose path ends with these steps, or else images whose path without suffix does."""
        *folders, file = (_key(step).casefold() for step in tail)
        names = [
            name
            for name in self._by_file.get(file, ())
            if not folders or _key(name).casefold().split("/")[-len(folders) - 1 : -1] == folders
        ]
        return [name for name in names if _key(name).casefold().rpartition("/")[2] == file] or names


def _in_common(paths: Sequence[str]) -> int:
    """Return how many leading folders all paths share: only these can be above the source."""
    folders = [_steps(path)[:-1] for path in paths]
    shared = 0
    for steps in zip(*folders, strict=False):  # as deep as the shallowest
        if len(set(steps)) > 1:
            break
        shared += 1
    return shared


def _nearest(names: Sequence[str], hints: Iterable[str]) -> FileMatch:
    """Return the one of several files whose folders the row names, as `train` or a class name does.

    Files of one folder cannot be distinguished: an image and its mask may differ in the suffix alone.
    """
    if len(names) == 1:
        return FileMatch(names[0])
    hints = list(hints)
    told = {_key(step).casefold() for hint in hints for step in _steps(hint)}
    subsets = {subset for hint in hints if (subset := subset_of(hint))}

    def agreement(name: str) -> int:
        folders = name.split("/")[:-1]
        return sum(_key(folder).casefold() in told or subset_of(folder) in subsets for folder in folders)

    best = max(map(agreement, names))
    nearest = sorted(name for name in names if agreement(name) == best)
    if len(nearest) == 1:
        return FileMatch(nearest[0])
    folders = len({_key(name).rpartition("/")[0] for name in nearest}) > 1
    suffixes = len({_key(name).rpartition(".")[2].casefold() for name in nearest}) > 1
    needed = " and ".join(["the folder"] * folders + ["the suffix"] * suffixes) or "upper and lower case"
    reason = f"may be {nearest[0]!r} or {nearest[1]!r}: the table must name {needed}"
    return FileMatch("", reason, several=True, by_suffix=suffixes and not folders)


def _resolved(steps: Sequence[str]) -> tuple[str, ...] | None:
    """Return the steps without `..`; None when they leave the source."""
    kept: list[str] = []
    for step in steps:
        if step != "..":
            kept.append(step)
        elif kept:
            kept.pop()
        else:
            return None
    return tuple(kept)


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.strip().replace("\\", "/").split("/") if step not in ("", "."))


def _key(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
