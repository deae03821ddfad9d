"""Find which columns of a table name the image, the label, the set and the group.

By the names that the user gave, by usual names, or by content: the image's column is the one that names files
of the source, and the label is the only column left beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from core.importing.layout import subset_of
from core.importing.table_records import Columns, LabelUnclear, Sample, TableRefused
from core.system.text import shortened

MOST_NAMED = 20  # columns listed in an error message
ROLES = {
    "image": (
        *("file", "filename", "file_name", "filepath", "path", "image", "img", "image_path", "image_file"),
        *("filepaths", "file_path", "img_path", "image_name"),
    ),
    "label": (
        *("label", "labels", "class", "class_name", "category", "target", "fine_label"),
        *("class_label", "classname", "class_id", "classid", "label_name", "category_name", "diagnosis"),
    ),
    "part": ("split", "part", "subset"),
    "group": ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "scene"),
}
SOMETIMES_SUBSET = (
    "set",
    "data set",
    "data_set",
    "dataset",
    "phase",
    "usage",
    "fold",
)  # only if all its values name sets
BOXES = re.compile(
    r"bbox|box|boxes|bounding_?box|(bbox|box|roi|bndbox)[_. ]?[xywh]\w*|[xy]_?(min|max|[12])|(min|max)_?[xy]",
    re.IGNORECASE,
)
NO_LABELS = re.compile(
    r"|unnamed: ?\d+|index|width|height|w|h|size|depth|url|md5|sha\d*|licen[cs]e", re.IGNORECASE
)


def understand(sample: Sample, wanted: Mapping[str, str], names_image: Callable[[str], bool]) -> Columns:
    """Find the column of each role.

    Args:
        sample: of the table.
        wanted: columns by role that the user named.
        names_image: returns whether a text names an image of the source.

    Raises:
        TableRefused: a wanted role or column does not exist, or the column of the images or labels is not
            clear.
    """
    header = sample.header
    for role, column in wanted.items():
        if role not in ROLES:
            raise TableRefused(f"`columns` may name {', '.join(ROLES)}. Received: {shortened(role)}.")
        if column not in header:
            raise TableRefused(_no_such_column(sample, column))
    roles = {**_by_name(header, skip=set(wanted.values())), **wanted}
    if "part" not in roles and (subset := _subset_column(sample)):
        roles["part"] = subset
    found: list[str] = []
    named = roles.get("image")
    if "image" not in wanted and named not in sample.inside and not _share(sample, named, names_image):
        free = [column for column in header if column not in roles.values()]
        naming = [column for column in free if _share(sample, column, names_image) >= 0.5]
        if naming:  # of several, the one with most different values: labels may be numbers, as names may be
            found.append("image")
            roles["image"] = max(naming, key=lambda column: len(set(cells(sample, column))))
    if "image" not in roles and len(sample.inside) == 1:
        roles["image"] = sample.inside[0]
    if "image" not in roles:
        raise TableRefused(
            f"it has no column for the image (one that names files of the source, or is called "
            f"{', '.join(ROLES['image'])}). Received the columns: {_quoted(header)}."
        )
    boxes = tuple(column for column in header if BOXES.fullmatch(column) and column not in wanted.values())
    if "label" not in roles:
        roles["label"] = _left_over(sample, {*roles.values(), *boxes})
        found.append("label")
    in_order = {role: roles[role] for role in ROLES if role in roles}
    return Columns(in_order, boxes, tuple(found))


def is_about_images(sample: Sample, names_image: Callable[[str], bool]) -> bool:
    """Return whether a column of the table names images of the source."""
    return bool(sample.inside) or any(_share(sample, column, names_image) >= 0.5 for column in sample.header)


def _by_name(header: Sequence[str], skip: set[str]) -> dict[str, str]:
    by_name = {column.strip().lower(): column for column in reversed(header) if column not in skip}
    found = {
        role: next((by_name[name] for name in names if name in by_name), None)
        for role, names in ROLES.items()
    }
    return {role: column for role, column in found.items() if column is not None}


def _subset_column(sample: Sample) -> str | None:
    """Return a column that contains only names of sets, under a name that often means something else."""
    for column in sample.header:
        if column.lower() in SOMETIMES_SUBSET:
            values = {cell for cell in cells(sample, column) if cell}
            if values and all(subset_of(value) for value in values):
                return column
    return None


def _left_over(sample: Sample, taken: set[str]) -> str:
    """Return the one remaining column that can be the label. Raises TableRefused when it is not one."""
    left = [column for column in sample.header if column not in taken and not NO_LABELS.fullmatch(column)]
    if len(left) == 1:
        return left[0]
    if not left:
        raise TableRefused(
            f"it has no column for the label ({', '.join(ROLES['label'])}). "
            f"Received the columns: {_quoted(sample.header)}."
        )
    if _is_one_hot(sample, left):
        raise LabelUnclear(
            f"its columns {_quoted(left)} hold 1 for the class of an image and 0 for the others. Expected: "
            "one column called label with the name of the class."
        )
    raise LabelUnclear(
        f"it is not clear which column is the label. Received the columns: {_quoted(sample.header)}. "
        f"Name it, as label={left[-1]}."
    )


def _is_one_hot(sample: Sample, columns: Sequence[str]) -> bool:
    """Return whether each row has 1 in one of the columns and 0 in all others."""
    try:
        rows = list(zip(*(map(float, cells(sample, column)) for column in columns), strict=True))
    except ValueError:  # not a number
        return False
    return bool(rows) and all(set(row) <= {0.0, 1.0} and sum(row) == 1 for row in rows)


def _share(sample: Sample, column: str | None, names_image: Callable[[str], bool]) -> float:
    """Return the share of a column's cells that name an image of the source."""
    values = [cell for cell in cells(sample, column) if cell] if column in sample.header else []
    return sum(map(names_image, values)) / len(values) if values else 0.0


def cells(sample: Sample, column: str | None) -> list[str]:
    """Return the cells of a column in the first rows."""
    place = sample.header.index(column or "")
    return [row[place].strip() if place < len(row) else "" for row in sample.rows]


def _quoted(names: Sequence[str]) -> str:
    """Format names of columns for a sentence: long ones shortened, many of them counted."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(shortened, names[:MOST_NAMED])) + more or "none"


def _no_such_column(sample: Sample, column: str) -> str:
    found = f"there is no column {shortened(column)}. Columns: {_quoted(sample.header)}."
    if sample.read_as and not "".join((column, *sample.header)).isascii():
        found += f" It was read as {sample.read_as}; is that its encoding?"
    return found
