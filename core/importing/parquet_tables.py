"""Tables in Parquet: of files and labels, or with the images inside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.images.reader import Row
from core.importing.table_records import SAMPLED, Entry, Sample, TableRefused, entry_of

MAX_GROUP_BYTES = 1024**3


def parquet_sample(data: bytes | Path) -> Sample:
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


def parquet_entries(path: str, data: bytes | Path, columns: Mapping[str, str]) -> Iterator[Entry]:
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
                yield entry_of(name, image, texts, tuple(texts.values()))


def _class_names(metadata: Mapping[bytes, bytes] | None, column: str) -> list[str]:
    """Return the class names that exports of Hugging Face store in the schema's metadata; empty without."""
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
    """Return a cell as text; NaN, which stands for missing values, becomes an empty text."""
    return "" if value is None or value != value else str(value).strip()
