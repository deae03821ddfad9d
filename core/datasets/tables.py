"""Tables that name images: CSV or Parquet of file and label, and Parquet with the images inside.

The columns are found by their usual names or by those that somebody gives. Parts come from a column, or from
the table's own name (`train.csv`, `test-00000-of-00001.parquet`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.datasets.layout import PART_NAMES
from core.datasets.reader import Row

SUFFIXES = (".csv", ".tsv", ".parquet")
HEADER_BYTES = 64 * 1024  # of a first line that may name columns
MAX_TABLE_BYTES = 512 * 1024**2  # of text; Parquet is read by row group
MAX_GROUP_BYTES = 1024**3
ROLES = {
    "image": (
        "file",
        "filename",
        "file_name",
        "filepath",
        "path",
        "image",
        "img",
        "image_path",
        "image_file",
    ),
    "label": ("label", "labels", "class", "class_name", "category", "target", "fine_label"),
    "part": ("split", "part", "subset"),
    "group": ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "scene"),
}


class TableRefused(ValueError):
    """A table cannot be read; the message says why."""


class Entry(NamedTuple):
    """One row. image: a file's path as the table writes it, or a Row when the image is inside the table."""

    name: str
    image: str | Row
    label: str
    part: str
    group: str


def find_columns(header: list[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The column of each role, as far as there is one.

    Raises TableRefused for a wanted role or column that does not exist.
    """
    for role, column in wanted.items():
        if role not in ROLES:
            raise TableRefused(f"`columns` may name {', '.join(ROLES)}. Received: {role!r}.")
        if column not in header:
            raise TableRefused(f"there is no column {column!r}. Columns: {', '.join(map(repr, header))}.")
    by_name = {column.strip().lower(): column for column in reversed(header)}
    found = {
        role: next((by_name[name] for name in names if name in by_name), None)
        for role, names in ROLES.items()
    }
    return {role: column for role, column in {**found, **wanted}.items() if column is not None}


def read_entries(path: str, data: bytes | Path, wanted: Mapping[str, str]) -> Iterator[Entry]:
    """The rows of a table in their order. path: its name in the source; data: its bytes, or where it lies.

    Raises TableRefused when it is no table, or has no column for the image or the label.
    """
    named_part = PART_NAMES.get(Path(path).stem.lower().split("-")[0].split("_")[0], "")
    rows = _parquet_rows(path, data, wanted) if path.lower().endswith(".parquet") else _csv_rows(data, wanted)
    for entry in rows:
        yield entry if entry.part else entry._replace(part=named_part)


def has_columns(path: str, data: bytes | Path, wanted: Mapping[str, str]) -> bool:
    """Whether the table names images and labels, so that it is meant."""
    if path.lower().endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as parquet

        try:
            header = parquet.read_schema(pa.BufferReader(data) if isinstance(data, bytes) else data).names
        except (pa.ArrowException, OSError):
            return False
    else:
        with _opened(data) as file:
            line = file.readline(HEADER_BYTES).decode("utf-8", "replace").strip()
        try:
            header = _split_line(line)
        except csv.Error:  # a field too long for a name: no table of ours
            return False
    try:
        return {"image", "label"} <= set(find_columns(header, wanted))
    except TableRefused:
        return bool(wanted)  # somebody named columns: let reading say which is missing


def _csv_rows(data: bytes | Path, wanted: Mapping[str, str]) -> Iterator[Entry]:
    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise TableRefused(f"it has {size:,} bytes; at most {MAX_TABLE_BYTES:,} are read.")
    raw = data if isinstance(data, bytes) else data.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableRefused(f"it is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    first = text.split("\n", 1)[0]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
        header = next(rows, [])
        places = {role: header.index(column) for role, column in _required(header, wanted).items()}
        for row in rows:
            if row:
                values = {role: row[i].strip() if i < len(row) else "" for role, i in places.items()}
                yield _entry(values["image"], values["image"], values)
    except csv.Error as error:
        raise TableRefused(f"it is not a table ({error}).") from error


def _parquet_rows(path: str, data: bytes | Path, wanted: Mapping[str, str]) -> Iterator[Entry]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(pa.BufferReader(data) if isinstance(data, bytes) else data) as file:
            schema = file.schema_arrow
            columns = _required(schema.names, wanted)
            kind = schema.field(columns["image"]).type
            inside = pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
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
                    yield _entry(name, image, texts)
    except (pa.ArrowException, OSError) as error:
        raise TableRefused(
            f"it is not a Parquet file, or it is damaged ({str(error).splitlines()[0]})."
        ) from error


def _entry(name: str, image: str | Row, values: Mapping[str, str]) -> Entry:
    part = values.get("part", "").lower()
    if part and part not in PART_NAMES:
        raise TableRefused(f"a part must be one of {', '.join(PART_NAMES)}. Received: {part!r}.")
    return Entry(name, image, values["label"], PART_NAMES.get(part, ""), values.get("group", ""))


def _required(header: list[str], wanted: Mapping[str, str]) -> dict[str, str]:
    columns = find_columns(header, wanted)
    for role in ("image", "label"):
        if role not in columns:
            raise TableRefused(
                f"it has no column for the {role} ({', '.join(ROLES[role])}). "
                f"Received the columns: {', '.join(map(repr, header)) or 'none'}."
            )
    return columns


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
    return "" if value is None else str(value).strip()


def _delimiter(first_line: str) -> str:
    return max(",;\t", key=first_line.count)


def _split_line(line: str) -> list[str]:
    return next(csv.reader([line.removeprefix("\ufeff")], delimiter=_delimiter(line)), [])


def _opened(data: bytes | Path) -> Any:
    return io.BytesIO(data) if isinstance(data, bytes) else open(data, "rb")
