"""Tables in text: CSV with commas or semicolons, and TSV; in UTF-8, UTF-16 or a given encoding."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from core.importing.layout import looks_like_image
from core.importing.table_columns import ROLES
from core.importing.table_records import SAMPLED, Entry, Sample, TableRefused, entry_of

MAX_TABLE_BYTES = 512 * 1024**2  # of text; Parquet is read by row group
SAMPLE_BYTES = 1024**2  # of text that are read for it
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def csv_sample(data: bytes | Path, names_image: Callable[[str], bool], encoding: str | None) -> Sample:
    """Read the columns of a text table and its first rows. Args: see `core.importing.tables.sample_table`."""
    text, read_as, unreadable = _sample_text(_start_of(data), encoding)
    rows = tuple(map(tuple, _first_rows(text)))
    if not rows:
        return Sample((), (), unreadable=unreadable, read_as=read_as)
    header = tuple(cell.strip() for cell in rows[0])
    usual = {name for names in ROLES.values() for name in names} & {name.lower() for name in header}
    if any(looks_like_image(cell) or (not usual and names_image(cell)) for cell in header):
        header = tuple(str(i + 1) for i in range(len(header)))
        return Sample(header, rows, has_header=False, unreadable=unreadable, read_as=read_as)
    return Sample(header, rows[1:], unreadable=unreadable, read_as=read_as)


def _start_of(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return data[:SAMPLE_BYTES]
    with open(data, "rb") as file:
        return file.read(SAMPLE_BYTES)


def _first_rows(text: str) -> list[list[str]]:
    """Return the first rows of a table, as far as they can be parsed."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.split("\n", 1)[0])):
            if row:
                rows.append(row)
            if len(rows) > SAMPLED:
                break
    return rows


def _sample_text(start: bytes, encoding: str | None) -> tuple[str, str, str]:
    """Decode the first SAMPLE_BYTES of a table as `_text_of` decodes the whole table.

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
    """Decode a table: UTF-8, UTF-16 with a byte-order mark as Excel writes it, or the given encoding."""
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


def csv_entries(
    data: bytes | Path, sample: Sample, roles: Mapping[str, str], encoding: str | None
) -> Iterator[Entry]:
    places = {role: sample.header.index(column) for role, column in roles.items()}
    for row in islice(_csv_rows(data, encoding), 1 if sample.has_header else 0, None):
        cells = tuple(cell.strip() for cell in row)
        values = {role: cells[i] if i < len(cells) else "" for role, i in places.items()}
        others = tuple(cell for i, cell in enumerate(cells) if i != places["image"])
        yield entry_of(values["image"], values["image"], values, others)


def _delimiter(first_line: str) -> str:
    return max(",;\t", key=first_line.count)
