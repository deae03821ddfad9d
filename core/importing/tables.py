"""Read tables that name images: CSV or Parquet with file and label, and Parquet with the images inside.

The set of an image comes from a column, or from the table's own name (`train.csv`,
`test-00000-of-00001.parquet`). `core.importing.table_columns` finds the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from core.importing.csv_tables import csv_entries, csv_sample
from core.importing.layout import SUBSET_NAMES, subset_of
from core.importing.parquet_tables import parquet_entries, parquet_sample
from core.importing.table_records import Columns, Entry, Sample

SUFFIXES = (".csv", ".tsv", ".parquet")


def sample_table(
    path: str, data: bytes | Path, names_image: Callable[[str], bool], encoding: str | None = None
) -> Sample:
    """Read the columns of a table and its first rows.

    Args:
        path: of the table in the source.
        data: its bytes, or the file that holds them.
        names_image: returns whether a text names an image of the source; a first row with such a text is no
            header.
        encoding: of text that is not UTF-8.

    Raises:
        TableRefused: the Parquet file is damaged. Text with errors is read as far as it goes; `read_entries`
            is strict.
    """
    if path.lower().endswith(".parquet"):
        return parquet_sample(data)
    return csv_sample(data, names_image, encoding)


def read_entries(
    path: str, data: bytes | Path, sample: Sample, columns: Columns, encoding: str | None = None
) -> Iterator[Entry]:
    """Yield the rows of a table in their order.

    Args:
        path: of the table in the source.
        data: its bytes, or the file that holds them.
        sample: from `sample_table`.
        columns: from `core.importing.table_columns.understand`.
        encoding: of text that is not UTF-8.

    Raises:
        TableRefused: the content is not a table.
    """
    named_subset = subset_of_table(path)
    if path.lower().endswith(".parquet"):
        rows = parquet_entries(path, data, columns.roles)
    else:
        rows = csv_entries(data, sample, columns.roles, encoding)
    for entry in rows:
        yield entry if entry.subset else entry._replace(subset=named_subset)


def subset_of_table(path: str) -> str:
    """Return the set that a table's file name names, as train.csv does; else an empty text."""
    stem = Path(path).stem
    return SUBSET_NAMES.get(stem.lower().split("-")[0].split("_")[0]) or subset_of(stem) or ""
