"""The images of a source by the tables in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from core.config.text import shortened
from core.datasets import tables
from core.datasets.decode import Unreadable
from core.datasets.layout import Place, looks_like_image, subset_of
from core.datasets.listing import (
    Item,
    Listing,
    class_name,
    class_order,
    ordered,
    shown,
    some,
    unicode_notes,
)
from core.datasets.lookup import Files, Rule
from core.datasets.reader import Reader, Where
from core.datasets.records import SUBSETS, Problem

MAX_TABLES = 1000  # of a folder's depth; more are one beside each image
SUBMISSION = "submission"
WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


class Table(NamedTuple):
    """A table that names images and labels. base: the folder that it lies in, "" for the source's own."""

    path: str
    data: bytes | Path
    base: str
    sample: tables.Sample
    columns: tables.Columns
    rule: Rule

    @property
    def subset(self) -> str:
        """The set that the table's name, or its folder's, names; else empty."""
        return tables.subset_of_table(self.path) or subset_of(self.base.rpartition("/")[2]) or ""

    @property
    def title(self) -> str:
        """The table's name, with its columns where they were found by what is in them."""
        if not self.columns.found and self.sample.has_header:
            return shown(self.path)
        named = "" if self.sample.has_header else "column "
        roles = ", ".join(f"{role}: {named}{column!r}" for role, column in self.columns.roles.items())
        return f"{shown(self.path)} ({'' if self.sample.has_header else 'no header; '}{roles})"


class Unused(NamedTuple):
    """A table that was not used, and why.

    about_images: it names images of the source, so that a person is told. unclear: a person can say how to
    use it.
    """

    name: str
    reason: str
    about_images: bool = False
    unclear: bool = False


def list_tables(
    root: Path,
    title: str,
    found: Mapping[str, Where],
    files: Files,
    wanted: Mapping[str, str],
    encoding: str | None,
    refused: Mapping[str, str],
) -> tuple[Listing | None, list[Unused]]:
    """The images that the source's tables name; no listing when no table names images and labels.

    Args:
        root: the folder or archive. title: what a person calls it.
        found: the source's files; those that are tables are looked at, the outermost first.
        files: the files that a table may name.
        wanted: columns by role that a person named. encoding: of tables that are not in UTF-8.
        refused: files that cannot be read, and why.

    Returns the listing, and the tables that were not used.
    Raises TableRefused when a table is about the source's images but cannot be used.
    """
    used, unused = _chosen(root, found, files, wanted, encoding)
    if not used:
        unclear = [one for one in unused if one.unclear or wanted]
        if unclear:
            raise tables.TableRefused(f"The table {unclear[0].name} cannot be used: {unclear[0].reason}")
        return None, unused
    rows = _Rows(found, files, refused)
    for table in used:
        try:
            rows.read(table, encoding)
        except tables.TableRefused as error:
            raise tables.TableRefused(f"The table {shown(table.path)} cannot be used: {error}") from error
    return rows.listing(root, title, used, unused), unused


def _chosen(
    root: Path, found: Mapping[str, Where], files: Files, wanted: Mapping[str, str], encoding: str | None
) -> tuple[list[Table], list[Unused]]:
    """The tables that name images and labels, of the outermost folders that have one, and the others."""
    used: list[Table] = []
    unused: list[Unused] = []
    candidates = sorted(name for name in found if name.lower().endswith(tables.SUFFIXES))
    for depth in sorted({name.count("/") for name in candidates}):
        for name in [name for name in candidates if name.count("/") == depth][:MAX_TABLES]:
            table = _understood(root, name, found[name], files, wanted, encoding)
            if isinstance(table, Table):
                used.append(table)
            else:
                unused.append(table)
        if used:
            break
    named = [table for table in used if table.subset]
    if any(table.subset == "train" for table in named):  # what lies beside these would repeat their rows
        told = f"the tables named after the sets are ({', '.join(shown(table.path) for table in named)})"
        aside = [table for table in used if not table.subset and "part" not in table.columns.roles]
        unused.extend(Unused(shown(table.path), told, about_images=True) for table in aside)
        used = [table for table in used if table not in aside]
    return used, unused


def _understood(
    root: Path, path: str, where: Where, files: Files, wanted: Mapping[str, str], encoding: str | None
) -> Table | Unused:
    base = path.rpartition("/")[0]
    subset = tables.subset_of_table(path)

    def names_image(text: str) -> bool:
        found = files.find(text, base, Rule(anywhere=True), (subset,))
        several = found.by_suffix or (found.several and looks_like_image(text))
        return several or looks_like_image(found.name)

    sample = None
    try:
        data = _data(root, where)
        sample = tables.sample_table(path, data, names_image, encoding)
        if SUBMISSION in path.rpartition("/")[2].lower():
            raise tables.TableRefused("it is an example of a submission, whose labels are placeholders.")
        columns = tables.understand(sample, wanted, names_image)
        if "image" in columns.found:
            _check_coverage(sample, columns.roles["image"], files, base, subset)
    except (tables.TableRefused, Unreadable) as error:
        about_images = sample is not None and tables.is_about_images(sample, names_image)
        unclear = about_images and isinstance(error, tables.LabelUnclear)
        reason = sample.unreadable if sample and sample.unreadable else str(error)  # names are garbled then
        return Unused(shown(path), reason, about_images, unclear)
    image = columns.roles["image"]
    rule = Rule() if image in sample.inside else files.rule(tables.cells(sample, image), base)
    return Table(path, data, base, sample, columns, rule)


def _check_coverage(sample: tables.Sample, column: str, files: Files, base: str, subset: str) -> None:
    """Raise TableRefused when a column may name images by chance, as the numbers of classes do.

    A short column of names without suffix must name half of the images in the folders that it names.
    """
    written = set(tables.cells(sample, column))
    if len(sample.rows) >= tables.SAMPLED or any(map(looks_like_image, written)):
        return
    named = {
        name for text in written if (name := files.find(text, base, Rule(anywhere=True), (subset,)).name)
    }
    there = len(named) + len(files.beside(named, near=True))
    if 2 * len(named) < there:
        raise tables.TableRefused(
            f"its column {column!r} names {len(named)} of the {there} images beside them."
        )


def _data(root: Path, where: Where) -> bytes | Path:
    """A table's bytes, or where it lies. Raises Unreadable when it is damaged in its archive."""
    if isinstance(where, str):
        return root / where
    with closing(Reader(root)) as reader:
        return reader.read(where)


class _Rows:
    """Collects the images that tables name, each once.

    found: where each file of the source lies. files: by which names tables may mean them. refused: files that
    cannot be read, and why.
    """

    def __init__(self, found: Mapping[str, Where], files: Files, refused: Mapping[str, str]):
        self._found = found
        self._files = files
        self._refused = refused
        self._items: dict[
            str | int, Item
        ] = {}  # by the file's name; by number where the image is in the table
        self._problems: list[Problem] = []
        self._conflicts: dict[str, set[str]] = {}  # labels of images that are listed with several
        self._boxed: set[str] = set()  # images with several boxes of one class
        self._labels: set[str] = set()
        self._whole_numbers: set[str] = set()

    def read(self, table: Table, encoding: str | None) -> None:
        """Add the rows of a table. Raises TableRefused when it cannot be read."""
        for entry in tables.read_entries(table.path, table.data, table.sample, table.columns, encoding):
            subset = entry.subset or table.subset or None
            place = Place(subset, self._label(entry.label))
            where: Where = entry.image
            key: str | int = len(self._items)
            name = entry.name
            reason = "" if place.label else "has no label"
            if isinstance(entry.image, str):
                found = self._files.find(entry.image, table.base, table.rule, (*entry.cells, subset or ""))
                name = found.name or entry.name or f"a row of {table.path}"
                reason = reason or self._refusal(entry.image, found.reason)
                key, where = name, self._found.get(name, name)
            if not reason and key in self._items:
                reason = self._again(str(key), place, bool(table.columns.boxes))
            elif not reason:
                self._items[key] = Item(shown(name), place, where, class_name(entry.group))
            if reason:
                self._problems.append(Problem(shown(name), reason))

    def listing(self, root: Path, title: str, used: Sequence[Table], unused: Sequence[Unused]) -> Listing:
        """All images as a listing. Raises TableRefused when the tables name none of the source's."""
        for name, labels in self._conflicts.items():
            del self._items[name]
            told = " and ".join(map(repr, class_order(labels)))
            self._problems.append(Problem(shown(name), f"is listed with different labels: {told}"))
        if not self._items:
            raise tables.TableRefused(self._nothing(title, used))
        items = list(self._items.values())
        inside = any(isinstance(key, int) for key in self._items)
        if not inside:
            items = ordered(items)  # images inside tables stay in the tables' order, in which they are read
        notes = [f"Labels were read from {', '.join(table.title for table in used)}."]
        if self._whole_numbers:
            notes.append(
                "Labels written with decimals were read as whole numbers: "
                f"{some(sorted(self._whole_numbers))}."
            )
        notes += [*unicode_notes(self._labels), *self._box_notes(used)]
        notes += [f"{one.name} was not used: {one.reason.rstrip('.')}." for one in unused if one.about_images]
        if not inside and (left := self._files.beside({*map(str, self._items), *self._conflicts})):
            names = ", ".join(shown(table.path) for table in used)
            notes.append(
                f"Images that {names} does not list were not imported: {len(left):,}, "
                f"for example {some(map(shown, left), 3)}."
            )
        return Listing(root, title, items, self._problems, tuple(notes))

    def _label(self, written: str) -> str:
        """The class that a label names: `1.0`, which frames of numbers make of 1, is 1."""
        self._labels.add(written)
        number = WHOLE_NUMBER.fullmatch(written)
        if number is None:
            return class_name(written)
        self._whole_numbers.add(written)
        return number[1]

    def _refusal(self, written: str, reason: str) -> str:
        path = written.strip().replace("\\", "/").removeprefix("./")
        return self._refused.get(shown(path), reason) if reason else ""

    def _again(self, name: str, place: Place, boxed: bool) -> str:
        """What is wrong with an image that is listed once more; empty when it is said elsewhere."""
        before = self._items[name].place
        if before.label != place.label:
            self._conflicts.setdefault(name, {before.label}).add(place.label)
            return ""
        if before.subset != place.subset:
            later = max(before, place, key=lambda one: SUBSETS.index(one.subset or "train"))
            self._items[name] = self._items[name]._replace(place=later)
            return f"is listed for several sets; it was put in {later.subset}"
        if boxed:
            self._boxed.add(name)
            return ""
        return "is listed twice"

    def _box_notes(self, used: Sequence[Table]) -> list[str]:
        boxed = [table for table in used if table.columns.boxes]
        if not boxed:
            return []
        sentence = (
            f"{shown(boxed[0].path)} has bounding boxes, as for object detection: the columns "
            f"{', '.join(boxed[0].columns.boxes)} were not used, and every image is taken whole."
        )
        if several := self._boxed - set(self._conflicts):
            sentence += f" Images with several boxes of their class: {len(several):,}."
        if self._conflicts:
            sentence += (
                f" Images with boxes of different classes, which were left out: {len(self._conflicts):,}."
            )
        return [sentence]

    def _nothing(self, title: str, used: Sequence[Table]) -> str:
        """Why no row can be used: what the tables name, and what there is."""
        names = ", ".join(shown(table.path) for table in used)
        if self._conflicts and any(table.columns.boxes for table in used):
            return (
                f"The table {names} is for object detection: every image has boxes of different classes. "
                "A dataset needs one class for each image."
            )
        told = (
            f" For example, {shortened(self._problems[0].name)} {self._problems[0].reason}."
            if self._problems
            else ""
        )
        there = [name for name in self._files.beside(set()) if looks_like_image(name)]
        return (
            f"The table {names} names no image of {title} with a label.{told} "
            f"Expected: paths below {title}, or names of images in it, with or without suffix. "
            f"Images there: {some(map(shown, there), 3) or 'none'}."
        )
