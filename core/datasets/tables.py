"""Tables that name images: CSV or Parquet of file and label, and Parquet with the images inside.

Columns are found by the names that somebody gives, by their usual names, or by what is in them: the column of
the images is the one that names files of the source, the label is what is left beside it. Parts come from a
column, or from the table's own name (`train.csv`, `test-00000-of-00001.parquet`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from core.config.text import shortened
from core.datasets.layout import SUBSET_NAMES, looks_like_image, subset_of
from core.datasets.reader import Row

SUFFIXES = (".csv", ".tsv", ".parquet")
MAX_TABLE_BYTES = 512 * 1024**2  # of text; Parquet is read by row group
MAX_GROUP_BYTES = 1024**3
MOST_NAMED = 20  # columns that a refusal lists
SAMPLED = 200  # rows that are looked at to understand a table
SAMPLE_BYTES = 1024**2  # of text that are read for it
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
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
)  # where it names sets alone
BOXES = re.compile(
    r"bbox|box|boxes|bounding_?box|(bbox|box|roi|bndbox)[_. ]?[xywh]\w*|[xy]_?(min|max|[12])|(min|max)_?[xy]",
    re.IGNORECASE,
)
NO_LABELS = re.compile(
    r"|unnamed: ?\d+|index|width|height|w|h|size|depth|url|md5|sha\d*|licen[cs]e", re.IGNORECASE
)


class TableRefused(ValueError):
    """A table cannot be read; the message says why."""


class LabelUnclear(TableRefused):
    """Several columns could be the label: a person must name it."""


class Entry(NamedTuple):
    """One row. image: a file's path as the table writes it, or a Row when the image is inside the table.

    cells: what else stands in the row, which may name the image's folder.
    """

    name: str
    image: str | Row
    label: str
    subset: str
    group: str
    cells: tuple[str, ...] = ()


class Sample(NamedTuple):
    """The beginning of a table. header: names of columns, or their numbers where the table has none.

    inside: the columns that hold images themselves. rows: the first rows, of text alone. unreadable: why the
    text is in none of the encodings that were tried; empty where it is, else the rows are only half right.
    read_as: the encoding of text that is not UTF-8.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    has_header: bool = True
    inside: tuple[str, ...] = ()
    unreadable: str = ""
    read_as: str = ""


class Columns(NamedTuple):
    """How a table is read. roles: the column of each role. boxes: columns of bounding boxes, which are not
    used.

    found: roles whose column was found by what is in it, so that a person should be told.
    """

    roles: Mapping[str, str]
    boxes: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def sample_table(
    path: str, data: bytes | Path, names_image: Callable[[str], bool], encoding: str | None = None
) -> Sample:
    """The columns of a table and its first rows. path: its name in the source; data: its bytes, or where it
    lies.

    names_image: whether a text names an image of the source, by which a table without header is known.
    encoding: of text that is not UTF-8.
    Raises TableRefused when it is a damaged Parquet file. Text is taken as it comes: reading it is strict.
    """
    if path.lower().endswith(".parquet"):
        return _parquet_sample(data)
    start = _start_of(data)
    text, read_as, unreadable = _sample_text(start, encoding)
    rows = tuple(map(tuple, _first_rows(text)))
    if not rows:
        return Sample((), (), unreadable=unreadable, read_as=read_as)
    header = tuple(cell.strip() for cell in rows[0])
    usual = {name for names in ROLES.values() for name in names} & {name.lower() for name in header}
    if any(looks_like_image(cell) or (not usual and names_image(cell)) for cell in header):
        header = tuple(str(i + 1) for i in range(len(header)))
        return Sample(header, rows, has_header=False, unreadable=unreadable, read_as=read_as)
    return Sample(header, rows[1:], unreadable=unreadable, read_as=read_as)


def understand(sample: Sample, wanted: Mapping[str, str], names_image: Callable[[str], bool]) -> Columns:
    """The column of each role. wanted: those that a person named.

    Raises TableRefused for a wanted role or column that does not exist, and when the column of the images or
    of the labels is not clear.
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
        if naming:  # of several, the one that tells most images apart: labels may be numbers as names are
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


def read_entries(
    path: str, data: bytes | Path, sample: Sample, columns: Columns, encoding: str | None = None
) -> Iterator[Entry]:
    """The rows of a table in their order. path: its name in the source; data: its bytes, or where it lies.

    Raises TableRefused when it is no table.
    """
    named_subset = subset_of_table(path)
    if path.lower().endswith(".parquet"):
        rows = _parquet_entries(path, data, columns.roles)
    else:
        rows = _csv_entries(data, sample, columns.roles, encoding)
    for entry in rows:
        yield entry if entry.subset else entry._replace(subset=named_subset)


def subset_of_table(path: str) -> str:
    """The set that a table's own name names, as train.csv and test-00000-of-00001.parquet do; else empty."""
    stem = Path(path).stem
    return SUBSET_NAMES.get(stem.lower().split("-")[0].split("_")[0]) or subset_of(stem) or ""


def is_about_images(sample: Sample, names_image: Callable[[str], bool]) -> bool:
    """Whether a column of the table names images of the source, so that the table is about them."""
    return bool(sample.inside) or any(_share(sample, column, names_image) >= 0.5 for column in sample.header)


def _by_name(header: Sequence[str], skip: set[str]) -> dict[str, str]:
    by_name = {column.strip().lower(): column for column in reversed(header) if column not in skip}
    found = {
        role: next((by_name[name] for name in names if name in by_name), None)
        for role, names in ROLES.items()
    }
    return {role: column for role, column in found.items() if column is not None}


def _subset_column(sample: Sample) -> str | None:
    """A column that holds nothing but names of sets, under a name that often means something else."""
    for column in sample.header:
        if column.lower() in SOMETIMES_SUBSET:
            values = {cell for cell in cells(sample, column) if cell}
            if values and all(subset_of(value) for value in values):
                return column
    return None


def _left_over(sample: Sample, taken: set[str]) -> str:
    """The one column beside the image's that can be the label. Raises TableRefused when it is not one."""
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
    """Whether each row has 1 in one of the columns and 0 in all others."""
    try:
        rows = list(zip(*(map(float, cells(sample, column)) for column in columns), strict=True))
    except ValueError:  # words, or nothing
        return False
    return bool(rows) and all(set(row) <= {0.0, 1.0} and sum(row) == 1 for row in rows)


def _share(sample: Sample, column: str | None, names_image: Callable[[str], bool]) -> float:
    """Which set of a column's cells name an image of the source."""
    values = [cell for cell in cells(sample, column) if cell] if column in sample.header else []
    return sum(map(names_image, values)) / len(values) if values else 0.0


def cells(sample: Sample, column: str | None) -> list[str]:
    """The cells of a column in the first rows."""
    place = sample.header.index(column or "")
    return [row[place].strip() if place < len(row) else "" for row in sample.rows]


def _quoted(names: Sequence[str]) -> str:
    """Names of columns for a sentence: cut where they are long, counted where they are many."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(shortened, names[:MOST_NAMED])) + more or "none"


def _no_such_column(sample: Sample, column: str) -> str:
    found = f"there is no column {shortened(column)}. Columns: {_quoted(sample.header)}."
    if sample.read_as and not "".join((column, *sample.header)).isascii():
        found += f" It was read as {sample.read_as}; is that its encoding?"
    return found


def _start_of(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data[:SAMPLE_BYTES]
    with open(data, "rb") as file:
        return file.read(SAMPLE_BYTES)


def _first_rows(text: str) -> list[list[str]]:
    """The first rows of a table, as far as they can be read."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.split("\n", 1)[0])):
            if row:
                rows.append(row)
            if len(rows) > SAMPLED:
                break
    return rows


def _sample_text(start: bytes, encoding: str | None) -> tuple[str, str, str]:
    """The first SAMPLE_BYTES of a table, decoded as `_text_of` decodes the whole table.

    Returns the text, the encoding where it is not UTF-8, and why it is in neither; then bytes are replaced.
    """
    cut = len(start) == SAMPLE_BYTES  # the last line is incomplete
    if start.startswith(UTF_16_MARKS):
        text = start.decode("utf-16", "replace")
        return text.rpartition("\n")[0] if cut else text, "", ""
    lines = start.rpartition(b"\n")[0] if cut else start
    with suppress(UnicodeDecodeError):
        return lines.decode("utf-8-sig"), "", ""
    try:
        return _text_of(lines, encoding), encoding or "", ""
    except TableRefused as error:
        return lines.decode("utf-8-sig", "replace"), "", str(error)


def _csv_rows(data: bytes | Path, encoding: str | None) -> Iterator[list[str]]:
    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise TableRefused(f"it has {size:,} bytes; at most {MAX_TABLE_BYTES:,} are read.")
    text = _text_of(data if isinstance(data, bytes) else data.read_bytes(), encoding)
    first = text.split("\n", 1)[0]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
        yield from (row for row in rows if row)
    except csv.Error as error:
        raise TableRefused(f"it is not a table ({error}).") from error


def _text_of(raw: bytes, encoding: str | None) -> str:
    """A table's text: in UTF-8, in UTF-16 with its mark as Excel writes it, or as a person says."""
    try:
        if raw.startswith(UTF_16_MARKS):
            return raw.decode("utf-16")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding is None:
            raise TableRefused(
                f"it is not UTF-8 text ({error.reason} at byte {error.start}). Give its "
                "encoding, or save it as UTF-8."
            ) from error
    try:
        return raw.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise TableRefused(f"it cannot be read as {encoding} ({error}).") from error


def _csv_entries(
    data: bytes | Path, sample: Sample, roles: Mapping[str, str], encoding: str | None
) -> Iterator[Entry]:
    places = {role: sample.header.index(column) for role, column in roles.items()}
    for row in islice(_csv_rows(data, encoding), 1 if sample.has_header else 0, None):
        cells = tuple(cell.strip() for cell in row)
        values = {role: cells[i] if i < len(cells) else "" for role, i in places.items()}
        others = tuple(cell for i, cell in enumerate(cells) if i != places["image"])
        yield _entry(values["image"], values["image"], values, others)


def _parquet_sample(data: bytes | Path) -> Sample:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with (
        _parquet_errors(),
        parquet.ParquetFile(pa.BufferReader(data) if isinstance(data, bytes) else data) as file,
    ):
        schema = file.schema_arrow
        inside = tuple(field.name for field in schema if _holds_images(field.type))
        texts = [name for name in schema.names if name not in inside]
        rows: list[tuple[str, ...]] = []
        if texts and not inside and file.num_row_groups:
            batch = next(file.iter_batches(SAMPLED, row_groups=[0], columns=texts), None)
            columns = {} if batch is None else batch.to_pydict()
            rows = list(zip(*([_text(value) for value in columns[name]] for name in texts), strict=True))
        return Sample(tuple(schema.names), tuple(rows), inside=inside)


def _holds_images(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


@contextmanager
def _parquet_errors() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise TableRefused(
            f"it is not a Parquet file, or it is damaged ({str(error).splitlines()[0]})."
        ) from error


def _parquet_entries(path: str, data: bytes | Path, columns: Mapping[str, str]) -> Iterator[Entry]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with (
        _parquet_errors(),
        parquet.ParquetFile(pa.BufferReader(data) if isinstance(data, bytes) else data) as file,
    ):
        schema = file.schema_arrow
        kind = schema.field(columns["image"]).type
        inside = _holds_images(kind)
        if inside and isinstance(data, bytes):
            raise TableRefused("its images cannot be read inside an archive. Unpack it.")
        named = "path" in [kind.field(i).name for i in range(kind.num_fields)] if inside else False
        classes = _class_names(schema.metadata, columns["label"])
        roles = {role: column for role, column in columns.items() if role != "image"}
        names = f"{columns['image']}.path" if named else None if inside else columns["image"]
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES:
                raise TableRefused(f"row group {group} has over {MAX_GROUP_BYTES:,} bytes.")
            table = file.read_row_group(group, [*roles.values(), *([names] if names else [])])
            values = {role: table.column(column).to_pylist() for role, column in roles.items()}
            paths = table.column(columns["image"]).to_pylist() if names else [None] * table.num_rows
            for row in range(table.num_rows):
                texts = {role: _text(column[row]) for role, column in values.items()}
                texts["label"] = _class_name(values["label"][row], classes)
                source: Any = paths[row]
                name = _text(source["path"] if named and source else source)
                name = name or f"{path} row group {group} row {row}"
                image = Row(path, group, row, columns["image"]) if inside else name
                yield _entry(name, image, texts, tuple(texts.values()))


def _entry(name: str, image: str | Row, values: Mapping[str, str], cells: tuple[str, ...]) -> Entry:
    written = values.get("part", "")
    subset = subset_of(written)
    if written and subset is None:
        raise TableRefused(
            f"a set must be one of {', '.join(SUBSET_NAMES)}. Received: {shortened(written.lower())}."
        )
    return Entry(name, image, values["label"], subset or "", values.get("group", ""), cells)


def _class_names(metadata: Mapping[bytes, bytes] | None, column: str) -> list[str]:
    """Class names that Hugging Face's exports keep beside the schema; empty when there are none."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (ValueError, KeyError, TypeError):
        return []


def _class_name(value: Any, classes: list[str]) -> str:
    if classes and isinstance(value, int):
        return classes[value] if 0 <= value < len(classes) else ""
    return _text(value)


def _text(value: Any) -> str:
    """A cell as text; what is missing in a frame of numbers is NaN, and no text."""
    return "" if value is None or value != value else str(value).strip()


def _delimiter(first_line: str) -> str:
    return max(",;\t", key=first_line.count)
