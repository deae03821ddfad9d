"""Read the bytes of an image: from a file, a member of an archive, or a row of a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from core.images.archive import Member, read_member
from core.images.decode import MAX_FILE_BYTES, Unreadable


class Row(NamedTuple):
    """An image inside a Parquet file: its path below the folder, row group, row in the group, column."""

    table: str
    group: int
    row: int
    column: str


Where = str | Member | Row  # a str is a path below the folder


def where_from_json(value: Any) -> Where:
    """Restore a place from JSON, which turns tuples into lists."""
    if isinstance(value, str):
        return value
    return Row(*value) if isinstance(value[0], str) else Member(*value)


class Reader:
    """Reads the images of a source. Close it after use."""

    def __init__(self, root: Path):
        self.root = root
        self._archive = os.open(root, os.O_RDONLY) if root.is_file() else None
        self._rows: tuple[tuple[str, int, str], list[Any]] | None = None

    def read(self, where: Where) -> bytes:
        """Read one image file. Raises Unreadable if that is impossible."""
        if isinstance(where, Member):
            assert self._archive is not None
            return read_member(self._archive, where)
        try:
            return self._row(where) if isinstance(where, Row) else self._file(where)
        except OSError as error:
            raise Unreadable(f"cannot be opened ({error.strerror or error})") from error

    def close(self) -> None:
        if self._archive is not None:
            os.close(self._archive)

    def _file(self, path: str) -> bytes:
        with open(self.root / path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise Unreadable(f"has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
            return file.read()

    def _row(self, where: Row) -> bytes:
        """Read one row; its row group is cached, because the next image is in it too."""
        import pyarrow.parquet as parquet

        key = (where.table, where.group, where.column)
        if self._rows is None or self._rows[0] != key:
            with parquet.ParquetFile(self.root / where.table) as file:
                self._rows = key, file.read_row_group(where.group, [where.column]).column(0)
        value = self._rows[1][where.row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise Unreadable("has no image bytes")
        if len(data) > MAX_FILE_BYTES:
            raise Unreadable(f"has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read")
        return data
