"""What a source holds: its images with their class and part, and what of it will not be read."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from core.datasets import tables
from core.datasets.archive import list_archive
from core.datasets.layout import Place, Steps, is_ignored, natural_order, understand
from core.datasets.name_encoding import Guess
from core.datasets.reader import Reader, Where
from core.datasets.records import PARTS, Problem
from core.datasets.walk import LEADS_OUT, Fence, Walk, file_refusal, walk


class Item(NamedTuple):
    """An image to read. name: its path in the source, as text that can be shown and stored."""

    name: str
    place: Place
    where: Where
    group: str = ""


@dataclass(frozen=True)
class Listing:
    """The images of a source in the order of their rows, and the problems found so far.

    root: the folder or archive that the items are read from. title: what a person calls it.
    guess: the encoding in which an archive's names were read, where it does not say it.
    """

    root: Path
    title: str
    items: list[Item]
    problems: list[Problem]
    notes: tuple[str, ...] = ()
    guess: Guess | None = None


def list_source(
    path: Path,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    links: Sequence[Path] = (),
) -> Listing:
    """List a folder, a zip archive or a table; hidden files, __MACOSX and the like are passed over.

    A table (CSV, Parquet) that names images and labels is believed before the folders are. columns: the
    table's columns by role, where they have unusual names. encoding: of the names in an archive that are not
    marked as UTF-8, where it is guessed wrong. links: further folders that symbolic links may lead into.
    Raises ArchiveRefused, LayoutRefused or TableRefused when it makes no dataset as a whole.
    """
    wanted = columns or {}
    if path.is_file() and path.suffix.lower() in tables.SUFFIXES:
        return _from_tables(path.parent, path.name, None, [(path.name, path.name)], wanted, {}, links)
    walked = walk(path, links) if path.is_dir() else None
    found, problems, notes, guess = _found(path, encoding, walked)
    candidates = [(name, where) for name, where in found if name.lower().endswith(tables.SUFFIXES)]
    top = min((name.count("/") for name, _ in candidates), default=0)
    with closing(Reader(path)) as reader:
        meant = [
            (name, where)
            for name, where in candidates
            if name.count("/") == top and tables.has_columns(name, _table(path, reader, where), wanted)
        ]
    if meant:
        members = dict(found) if path.is_file() else None
        listing = _from_tables(path, path.name, members, meant, wanted, dict(problems), links)
    else:
        listing = _from_folders(path, found, problems, walked)
    return replace(listing, notes=listing.notes + notes, guess=guess)


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
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def class_name(text: str) -> str:
    """A class, group or folder name as it is compared and stored: as text, in Unicode's composed form (NFC).

    macOS writes é as e and an accent, other systems as one character; both are one name.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", shown(text))


def _found(
    root: Path, encoding: str | None, walked: Walk | None
) -> tuple[list[tuple[str, Where]], list[Problem], tuple[str, ...], Guess | None]:
    """Every file of a folder or archive without litter, what cannot be read, and notes on names."""
    notes: tuple[str, ...] = ()
    guess: Guess | None = None
    found: list[tuple[str, Where]] = []
    problems: list[Problem] = []
    if walked is not None:
        found.extend((path, path) for path in walked.files)
        problems.extend(Problem(shown(path), reason) for path, reason in walked.refused)
    else:
        members, refused, notes, guess = list_archive(root, encoding)
        problems.extend(
            Problem(shown(name), reason)
            for name, reason in refused
            if not is_ignored([step for step in name.split("/") if step != ".."])
        )
        for name, member in members:
            steps = _steps(name)
            if steps and not is_ignored(steps):
                found.append(("/".join(steps), member))
    return found, problems, notes, guess


def _from_folders(
    root: Path, found: list[tuple[str, Where]], problems: list[Problem], walked: Walk | None
) -> Listing:
    paths = [_steps(path) for path, _ in found]
    places, misplaced = understand(paths)
    problems.extend(
        Problem(shown(problem.name), problem.reason)
        for problem in misplaced
        if walked is None or not walked.is_linked(root / problem.name)  # it is read, by the link's name
    )
    items = [
        Item(shown(path), Place(place.part, class_name(place.label)), where)
        for (path, where), place in zip(found, places, strict=True)
        if place is not None
    ]
    notes = _unicode_notes(place.label for place in places if place is not None)
    return Listing(root, root.name, ordered(items), problems, notes)


def _unicode_notes(labels: Iterable[str]) -> tuple[str, ...]:
    """A sentence about classes whose names are written in several Unicode forms."""
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for label in set(labels):
        forms[class_name(label)].add(label)
    mixed = class_order({name for name, written in forms.items() if len(written) > 1})
    if not mixed:
        return ()
    return (
        "Names in composed and in decomposed Unicode characters, as Windows and macOS write them, "
        f"were read as one class: {', '.join(map(repr, mixed))}.",
    )


def _from_tables(
    root: Path,
    title: str,
    members: Mapping[str, Where] | None,
    found: list[tuple[str, Where]],
    wanted: Mapping[str, str],
    refused: Mapping[str, str],
    links: Sequence[Path],
) -> Listing:
    """The rows of the tables as items. members: of an archive, by name; None for a folder.

    refused: files that may not be read, and why; only those that a table names are problems. links: as in
    `list_source`.
    """
    fence = Fence(root, links)
    items: list[Item] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    labels: set[str] = set()
    with closing(Reader(root)) as reader:
        for path, where in sorted(found):
            try:
                for entry in tables.read_entries(path, _table(root, reader, where), wanted):
                    image: Where | None = entry.image
                    label, source = class_name(entry.label), entry.name
                    labels.add(entry.label)
                    reason = "" if label else "has no label"
                    if isinstance(image, str):
                        base = path.rpartition("/")[0]
                        steps = _steps(f"{base}/{image}" if base else image)
                        name = "/".join(steps)
                        source = name or f"a row of {path}"
                        reason = (
                            reason
                            or refused.get(name, "")
                            or _path_refusal(root, image, steps, members, fence)
                        )
                        reason = reason or ("is listed twice" if name in seen else "")
                        seen.add(name)
                        image = name if members is None else members.get(name)
                    if reason or image is None:
                        problems.append(Problem(shown(source), reason))
                    else:
                        items.append(
                            Item(
                                shown(source),
                                Place(entry.part or None, label),
                                image,
                                class_name(entry.group),
                            )
                        )
            except tables.TableRefused as error:
                raise tables.TableRefused(f"The table {shown(path)} cannot be used: {error}") from error
    if not any(isinstance(where, tables.Row) for _, _, where, _ in items):
        items = ordered(items)  # images inside tables stay in the tables' order: it is how they can be read
    names = ", ".join(shown(path) for path, _ in sorted(found))
    notes = (f"Labels were read from {names}.", *_unicode_notes(labels))
    return Listing(root, title, items, problems, notes)


def _table(root: Path, reader: Reader, where: Where) -> bytes | Path:
    return root / where if isinstance(where, str) else reader.read(where)


def _steps(path: str) -> Steps:
    steps = path.replace("\\", "/").split("/")
    return tuple(steps) if all(steps) and "." not in steps else tuple(s for s in steps if s not in ("", "."))


def _path_refusal(
    root: Path, path: str, steps: Steps, members: Mapping[str, Where] | None, fence: Fence
) -> str:
    """Why a file that a table names is not read; empty when it is."""
    if not steps:
        return "names no file"
    if ".." in steps or path.startswith(("/", "\\")) or ":" in steps[0]:
        return "has a path that leads out of the folder"
    if members is not None:
        return "" if "/".join(steps) in members else "is not in the archive"
    file = root.joinpath(*steps)
    return file_refusal(file) or ("" if fence.holds(file) else LEADS_OUT)
