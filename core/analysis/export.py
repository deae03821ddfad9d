"""A table of runs as text for other programs: CSV, Markdown, LaTeX, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real

import pandas as pd

from core.analysis.cells import Digits, digits_of
from core.analysis.table_columns import TableColumn

FORMATS = {"csv": "CSV", "markdown": "Markdown", "latex": "LaTeX", "json": "JSON"}
ENDINGS = {"csv": "csv", "markdown": "md", "latex": "tex", "json": "json"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets compute a cell that begins so
DEFUSED = "'"  # before such a text: spreadsheets show it as it is
LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "–": "--",
    "★": r"$\star$",
}
MARKDOWN = "\\`*_[]<>|#"


@dataclass(frozen=True)
class Table:
    """What is shown of some runs and groups.

    Attributes:
        rows: One row each; numbers as numbers.
        halves: What is written after ± in some cells, by the names of columns.
        columns: Those of the catalogue that are among them, by name.
        differences: Columns of differences from a baseline, by name: the column that they are of.
        titles: How columns are headed in Markdown and LaTeX; by their names where nothing else is said.
    """

    rows: pd.DataFrame
    halves: pd.DataFrame
    columns: Mapping[str, TableColumn]
    differences: Mapping[str, str]
    titles: Mapping[str, str] = field(default_factory=dict)

    def digits(self, name: str) -> Digits | None:
        """How the numbers of a column are written; None for a column of texts."""
        shown = self.differences.get(name, name)
        of = self.columns.get(shown)
        if of is None or not pd.api.types.is_numeric_dtype(self.rows[shown]):
            return None
        return digits_of(of, self.rows[shown])

    def texts(self, name: str) -> list[str]:
        """The cells of a column as they are shown; empty where there is no value."""
        digits, found = self.digits(name), self.rows[name]
        if digits is None:
            return ["" if pd.isna(one) else _plain(one) for one in found]
        if name in self.differences:
            return ["" if math.isnan(one) else digits.signed(one) for one in found]
        halves = self.halves[name] if name in self.halves else pd.Series(math.nan, index=found.index)
        pairs = zip(found.astype(float), halves.astype(float), strict=True)
        return ["" if math.isnan(one) else digits.interval(one, half) for one, half in pairs]


def _plain(value: object) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, pd.Timestamp) else str(value)


def write(table: Table, form: str) -> str:
    """Write a table in one of `FORMATS`."""
    return {"csv": to_csv, "markdown": to_markdown, "latex": to_latex, "json": to_json}[form](table)


def to_csv(table: Table) -> str:
    """Write comma-separated values: numbers in full, and a column `name ±` where some have an interval."""
    columns: dict[str, list[str]] = {}
    for name in table.rows:
        numbers = pd.api.types.is_numeric_dtype(table.rows[name])
        columns[name] = [_csv_cell(one, numbers) for one in table.rows[name]]
        if name in table.halves and table.halves[name].notna().any():
            columns[f"{name} ±"] = [_csv_cell(one, True) for one in table.halves[name]]
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow([defused(name) for name in columns])
    lines.writerows(zip(*columns.values(), strict=True))
    return written.getvalue()


def _csv_cell(value: object, number: bool) -> str:
    if pd.isna(value):
        return ""
    if number and isinstance(value, Real):
        exact = float(value)
        return str(int(exact)) if exact.is_integer() and abs(exact) < 2**53 else repr(exact)
    return defused(_plain(value))


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; a number stays as it is."""
    if not text.lstrip(" ").startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"{DEFUSED}{text}"
    return text


def to_markdown(table: Table) -> str:
    """Write a table of GitHub's Markdown; columns of numbers are aligned to the right."""
    names = [*table.rows]
    lines = [[_markdown(table.titles.get(name, name)) for name in names]]
    lines.append(["---" if table.digits(name) is None else "---:" for name in names])
    lines += [[_markdown(text) for text in row] for row in _rows(table)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _markdown(text: str) -> str:
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in MARKDOWN else sign for sign in flat)


def to_latex(table: Table) -> str:
    """Write a LaTeX table with the rules of the package booktabs."""
    names = [*table.rows]
    sides = "".join("l" if table.digits(name) is None else "r" for name in names)
    titles = [_latex(table.titles.get(name, name)) for name in names]
    lines = [" & ".join(row) for row in (titles, *(map(_latex, row) for row in _rows(table)))]
    body = [f"{line} \\\\" for line in lines]
    head = [f"\\begin{{tabular}}{{{sides}}}", "\\toprule", body[0], "\\midrule"]
    return "\n".join([*head, *body[1:], "\\bottomrule", "\\end{tabular}", ""])


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(table.texts(name) for name in table.rows), strict=True))


def to_json(table: Table) -> str:
    """Write a list with an object for each row; null where there is no value or no finite one."""
    found = []
    for row in table.rows.index:
        said: dict[str, object] = {}
        for name in table.rows:
            said[name] = _json(table.rows.loc[row, name])
            if name in table.halves and not math.isnan(half := float(table.halves.loc[row, name])):
                said[f"{name} ±"] = half
        found.append(said)
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json(value: object) -> object:
    if pd.isna(value):
        return None
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return _plain(value)
