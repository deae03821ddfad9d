"""Choose the tables of a source that name its images and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from core.images.decode import Unreadable
from core.images.reader import Reader, Where
from core.importing.layout import looks_like_image, subset_of
from core.importing.listing import (
    shown,
)
from core.importing.lookup import Files, Rule
from core.importing.table_columns import cells, is_about_images, understand
from core.importing.table_records import SAMPLED, Columns, LabelUnclear, Sample, TableRefused
from core.importing.tables import SUFFIXES, sample_table, subset_of_table

MAX_TABLES = 1000  # per depth of folders; with more, there is one per image
SUBMISSION = "submission"


class Table(NamedTuple):
    """A table that names images and labels. base: the folder that it is in, "" for the source's own."""

    path: str
    data: bytes | Path
    base: str
    sample: Sample
    columns: Columns
    rule: Rule

    @property
    def subset(self) -> str:
        """The set that the name of the table or of its folder names; else empty."""
        return subset_of_table(self.path) or subset_of(self.base.rpartition("/")[2]) or ""

    @property
    def title(self) -> str:
        """The table's name, with its columns if they were found by their content."""
        if not self.columns.found and self.sample.has_header:
            return shown(self.path)
        named = "" if self.sample.has_header else "column "
        roles = ", ".join(f"{role}: {named}{column!r}" for role, column in self.columns.roles.items())
        return f"{shown(self.path)} ({'' if self.sample.has_header else 'no header; '}{roles})"


class Unused(NamedTuple):
    """A table that was not used, and why.

    Args:
        about_images: it names images of the source, so that the user is informed.
        unclear: the user can say how to use it.
    """

    name: str
    reason: str
    about_images: bool = False
    unclear: bool = False


def choose_tables(
    root: Path, found: Mapping[str, Where], files: Files, wanted: Mapping[str, str], encoding: str | None
) -> tuple[list[Table], list[Unused]]:
    """Return the tables to use, which name images and labels, and all others.

    Those of the outermost folders that have one.
    """
    used: list[Table] = []
    unused: list[Unused] = []
    candidates = sorted(name for name in found if name.lower().endswith(SUFFIXES))
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
    if any(table.subset == "train" for table in named):  # tables beside these would repeat their rows
        told = f"the tables named after the sets are ({', '.join(shown(table.path) for table in named)})"
        aside = [table for table in used if not table.subset and "part" not in table.columns.roles]
        unused.extend(Unused(shown(table.path), told, about_images=True) for table in aside)
        used = [table for table in used if table not in aside]
    return used, unused


def _understood(
    root: Path, path: str, where: Where, files: Files, wanted: Mapping[str, str], encoding: str | None
) -> Table | Unused:
    """Return the table with its columns, or why it is not used."""
    base = path.rpartition("/")[0]
    subset = subset_of_table(path)

    def names_image(text: str) -> bool:
        found = files.find(text, base, Rule(anywhere=True), (subset,))
        several = found.by_suffix or (found.several and looks_like_image(text))
        return several or looks_like_image(found.name)

    sample = None
    try:
        data = _data(root, where)
        sample = sample_table(path, data, names_image, encoding)
        if SUBMISSION in path.rpartition("/")[2].lower():
            raise TableRefused("it is an example of a submission, whose labels are placeholders.")
        columns = understand(sample, wanted, names_image)
        if "image" in columns.found:
            _check_coverage(sample, columns.roles["image"], files, base, subset)
    except (TableRefused, Unreadable) as error:
        about_images = sample is not None and is_about_images(sample, names_image)
        unclear = about_images and isinstance(error, LabelUnclear)
        reason = sample.unreadable if sample and sample.unreadable else str(error)  # names are garbled then
        return Unused(shown(path), reason, about_images, unclear)
    image = columns.roles["image"]
    rule = Rule() if image in sample.inside else files.rule(cells(sample, image), base)
    return Table(path, data, base, sample, columns, rule)


def _check_coverage(sample: Sample, column: str, files: Files, base: str, subset: str) -> None:
    """Raise TableRefused when a column may name images by chance, as numbers of classes do.

    A short column of names without suffix must name half of the images in the folders that it names.
    """
    written = set(cells(sample, column))
    if len(sample.rows) >= SAMPLED or any(map(looks_like_image, written)):
        return
    named = {
        name for text in written if (name := files.find(text, base, Rule(anywhere=True), (subset,)).name)
    }
    there = len(named) + len(files.beside(named, near=True))
    if 2 * len(named) < there:
        raise TableRefused(f"its column {column!r} names {len(named)} of the {there} images beside them.")


def _data(root: Path, where: Where) -> bytes | Path:
    """Return a table's bytes, or its path. Raises Unreadable when it is damaged in its archive."""
    if isinstance(where, str):
        return root / where
    with closing(Reader(root)) as reader:
        return reader.read(where)
