"""List the images of a source with their class and set, and the files that will not be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.datasets.records import Problem
from core.images.archive import list_archive
from core.images.name_encoding import Guess
from core.images.reader import Where
from core.importing import list_tables
from core.importing.detection import detection_format, has_classes
from core.importing.layout import (
    LayoutRefused,
    Place,
    Steps,
    is_ignored,
    looks_like_image,
    subset_of,
    understand,
)
from core.importing.listing import Item, Listing, class_name, ordered, shown, some, unicode_notes
from core.importing.lookup import Files
from core.importing.table_choice import Unused
from core.importing.table_records import TableRefused
from core.importing.tables import SUFFIXES
from core.importing.walk import Fence, Walk, file_refusal, walk

MISSING = "is not in the folder"
# Files that hold labels by their name, in formats that are not read.
LABELS = re.compile(
    r"(label|annot|class|target|truth|train|val|test|list|data)[^/]*\.(txt|lst|json|jsonl|xlsx?|ods)$", re.I
)
# Suffixes of files that are not images. Files without a suffix, or with an unknown one, are tried.
TEXT_SUFFIXES = (
    *(".txt", ".lst", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".md", ".html", ".htm"),
    *(".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".mat", ".parquet", ".py", ".ipynb", ".log"),
)
NO_TABLE = (
    "was not used: labels are read from tables (.csv, .tsv, .parquet) with a column for the image and one "
    "for its label"
)


def list_source(
    path: Path,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    links: Sequence[Path] = (),
) -> Listing:
    """List a folder, a zip archive or a table; hidden files, __MACOSX and the like are skipped.

    A table (CSV, Parquet) that names images and labels has priority over the folders.

    Args:
        path: of the source.
        columns: a table's columns by role, where they have unusual names.
        encoding: of a table, and of names in an archive, that are not UTF-8.
        links: further folders that symbolic links may lead into.

    Raises:
        ArchiveRefused, LayoutRefused, TableRefused: the source as a whole is not a dataset.
    """
    wanted = columns or {}
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return _from_one_table(path, wanted, encoding, links)
    walked = walk(path, links) if path.is_dir() else None
    found, problems, notes, guess = _found(path, encoding, walked)
    if walked is None:
        files = Files(lambda: (name for name, _ in found), "is not in the archive")
    else:
        files = Files(lambda: walked.files, MISSING, path, _reach(path, links))
    listing, unused = list_tables.list_tables(
        path, path.name, dict(found), files, wanted, encoding, dict(problems)
    )
    if listing is None:
        listing = _without_boxes(path, found, problems, unused, walked)
    return replace(listing, notes=listing.notes + notes, guess=guess)


def _from_one_table(
    path: Path, wanted: Mapping[str, str], encoding: str | None, links: Sequence[Path]
) -> Listing:
    """List the images that a table names, which may be in its own folder or below it.

    The folder is listed only for a name that is not a path below it: it may contain many other files.
    """
    root = path.parent
    refused: dict[str, str] = {}

    def names() -> Iterable[str]:
        walked = walk(root, links)
        refused.update((shown(name), reason) for name, reason in walked.refused)
        return walked.files

    files = Files(names, MISSING, root, _reach(root, links), alone=True)
    found: dict[str, Where] = {path.name: path.name}
    listing, unused = list_tables.list_tables(root, path.name, found, files, wanted, encoding, refused)
    if listing is None:
        raise TableRefused(f"The table {unused[0].name} cannot be used: {unused[0].reason}")
    return listing


def _reach(root: Path, links: Sequence[Path]) -> Callable[[str], bool]:
    """Return whether a path below the folder is a file that may be read."""
    fence = Fence(root, links)
    return lambda name: not file_refusal(root / name) and fence.holds(root / name)


def _found(
    root: Path, encoding: str | None, walked: Walk | None
) -> tuple[list[tuple[str, Where]], list[Problem], tuple[str, ...], Guess | None]:
    """Return every file of a folder or archive, those that cannot be read, and notes on names."""
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


def _without_boxes(
    root: Path,
    found: list[tuple[str, Where]],
    problems: list[Problem],
    unused: Sequence[Unused],
    walked: Walk | None,
) -> Listing:
    """List the images by their folders. Raises LayoutRefused for an object-detection dataset."""
    boxes = detection_format([name for name, _ in found])
    try:
        listing = _from_folders(root, found, problems, unused, walked)
    except LayoutRefused:
        if not boxes:
            raise
        listing = Listing(root, root.name, [], [])
    if not boxes:
        return listing
    if not has_classes({item.place.label for item in listing.items}):
        raise LayoutRefused(
            f"{root.name} is a dataset for object detection ({boxes}): its images have boxes, "
            "and no class each. Expected: a folder for each class, or a table of files and labels."
        )
    note = f"Boxes for object detection ({boxes}) were not used: every image has the class of its folder."
    return replace(listing, notes=(*listing.notes, note))


def _from_folders(
    root: Path,
    found: list[tuple[str, Where]],
    problems: list[Problem],
    unused: Sequence[Unused],
    walked: Walk | None,
) -> Listing:
    """List the images by their folders. unused: tables that do not name them. walked: of a folder."""
    twice = walked.twice if walked is not None else frozenset()
    linked = sorted(path for path, _ in found if path in twice and looks_like_image(path))
    found = [(path, where) for path, where in found if path not in twice]
    paths = [tuple(path.split("/")) for path, _ in found]
    places, misplaced = understand(paths)
    problems.extend(Problem(shown(problem.name), problem.reason) for problem in misplaced)
    items = [
        Item(shown(path), Place(place.subset, class_name(place.label)), where)
        for (path, where), place in zip(found, places, strict=True)
        if place is not None
    ]
    texts = _folders_of_text(items)
    items = [item for item in items if item.place.label not in texts]
    notes = list(unicode_notes(place.label for place in places if place is not None))
    if texts:
        notes.append(f"No class was made of folders that hold text and no image: {some(texts, 3)}.")
    if linked:
        notes.append(
            "Images that symbolic links lead to were read once, by the names of the links: "
            f"{len(linked):,}, for example {some(map(shown, linked), 3)}."
        )
    told = [
        Problem(one.name, f"was not used: {one.reason.rstrip('.')}") for one in unused if one.about_images
    ]
    if len({item.place.label for item in items}) > 1:
        notes += [f"{problem.name} {problem.reason}." for problem in told]
    else:  # not a dataset: the reason may be in a table
        told += [Problem(one.name, f"was not used: {one.reason.rstrip('.')}") for one in unused]
        told += [Problem(shown(path), NO_TABLE) for path, _ in found if LABELS.search(path)]
        told += [Problem(label, "holds text and no image") for label in texts]
        problems = [*told, *problems]
    lists = [path for path, _ in found if _lists_a_subset(path)]
    if lists and not any(item.place.subset for item in items):
        notes.append(f"Lists of training or test images were not used: {some(map(shown, lists))}.")
    return Listing(root, root.name, ordered(items), problems, tuple(notes))


def _folders_of_text(items: Sequence[Item]) -> list[str]:
    """Return the would-be classes that contain only text files, while others contain images."""
    kinds: dict[str, set[bool]] = {}
    for item in items:
        kinds.setdefault(item.place.label, set()).add(item.name.lower().endswith(TEXT_SUFFIXES))
    texts = sorted(label for label, found in kinds.items() if found == {True})
    return texts if len(texts) < len(kinds) else []


def _lists_a_subset(path: str) -> bool:
    """Return whether a text file's name says that it lists a set: test.txt, CUB's train_test_split.txt."""
    stem, dot, suffix = path.rpartition("/")[2].lower().rpartition(".")
    return dot + suffix in (".txt", ".json") and (stem == "train_test_split" or subset_of(stem) is not None)


def _steps(path: str) -> Steps:
    steps = path.replace("\\", "/").split("/")
    return tuple(steps) if all(steps) and "." not in steps else tuple(s for s in steps if s not in ("", "."))
