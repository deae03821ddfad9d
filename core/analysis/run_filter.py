"""Applies a filter (`core.analysis.filter_grammar`) to a frame of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate

import numpy as np
import pandas as pd

from core.analysis import table_columns
from core.analysis.filter_grammar import All, Any, Compare, FilterError, Node, Not, Tag, Word, leaves, parse
from core.analysis.table_columns import TableColumn
from core.tracking import schema
from core.tracking.tables import column

# Short words for columns, beside the last part of every dotted name.
ALIASES = {
    "model": "model.name",
    "architecture": "model.name",
    "dataset": "data.name",
    "data": "data.name",
    "optimizer": "optimizer.name",
    "schedule": "schedule.name",
    "status": "state",
    "notes": "note",
    "epochs": "training.epochs",
}
NAME, ID = "name", "run_id"  # columns of every frame of runs
NOTHING = "none"  # written where a column is empty


@dataclass(frozen=True)
class Filter:
    """A filter and the columns that it can name.

    Attributes:
        columns: As `table_columns.catalogue` gives them.
        tags: The names of all tags.
    """

    node: Node
    columns: Mapping[str, TableColumn]
    tags: Collection[str] = ()

    def keys(self) -> list[str]:
        """What has to be read of the runs to apply it. Raises FilterError for an unknown column."""
        found: list[str] = []
        for leaf in leaves(self.node):
            if isinstance(leaf, Word):
                found += [one.key for one in self.columns.values() if one.source.startswith("params.")]
                found += table_columns.own_tags(self.tags)
            elif isinstance(leaf, Tag):
                found += self._tags(leaf.name)
            elif (one := self._column(leaf.name)) is not None:
                found += table_columns.keys_of([one], self.tags)
        return list(dict.fromkeys(found))

    def rows(self, runs: pd.DataFrame) -> pd.Series:
        """Return which rows of a frame of runs it keeps.

        Args:
            runs: As `frames.runs` gives them, with what `keys` names.

        Raises:
            FilterError: For an unknown column, or a value that does not fit a column.
        """
        self.keys()
        return pd.Series(self._keeps(self.node, runs), index=runs.index, dtype=bool)

    def _keeps(self, node: Node, runs: pd.DataFrame) -> np.ndarray:
        if isinstance(node, Not):
            return ~self._keeps(node.part, runs)
        if isinstance(node, All):
            return np.logical_and.reduce(
                [np.ones(len(runs), dtype=bool), *(self._keeps(part, runs) for part in node.parts)]
            )
        if isinstance(node, Any):
            return np.logical_or.reduce([self._keeps(part, runs) for part in node.parts])
        if isinstance(node, Word):
            return self._with_word(node.text, runs)
        if isinstance(node, Tag):
            return self._with_tag(node, runs)
        one = self._column(node.name)
        found = column(runs, node.name.lower(), object) if one is None else table_columns.values(runs, one)
        return _compared(found, node, "" if one is None else one.name)

    def _column(self, name: str) -> TableColumn | None:
        """The column of a name; None for the name and the id of a run. Raises FilterError."""
        wanted = name.lower()
        if wanted in (NAME, ID):
            return None
        by_name = {one.lower(): one for one in self.columns}
        for full in (wanted, ALIASES.get(wanted, wanted)):
            if full in by_name:
                return self.columns[by_name[full]]
        sources = {one.source.lower(): one for one in self.columns.values()}
        if wanted in sources:
            return sources[wanted]
        ending = [by_name[one] for one in by_name if one.endswith(f".{wanted}")]
        if len(ending) == 1:
            return self.columns[ending[0]]
        if ending:
            raise FilterError(f"Filter: '{name}' may be {' or '.join(sorted(ending))}: write which one.")
        known = [*by_name, *ALIASES, NAME, *(one.rpartition(".")[2] for one in by_name)]
        near = get_close_matches(wanted, known, 3)
        hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        raise FilterError(f"Filter: no run has a column '{name}'.{hint}")

    def _tags(self, name: str) -> list[str]:
        """The tags that a name stands for: `locked` also for the program's own `archlab.locked`."""
        wanted = name.lower()
        names = {wanted, *(f"{beginning}{wanted}" for beginning in schema.OF_PROGRAMS)}
        return [tag for tag in self.tags if tag.lower() in names]

    def _with_tag(self, node: Tag, runs: pd.DataFrame) -> np.ndarray:
        keeps = np.zeros(len(runs), dtype=bool)
        for name in self._tags(node.name):
            given = column(runs, f"tags.{name}", object)
            keeps |= (
                _compared(given, Compare(f"tag:{node.name}", node.sign, node.value))
                if node.sign
                else given.notna().to_numpy(dtype=bool)
            )
        return keeps

    def _with_word(self, word: str, runs: pd.DataFrame) -> np.ndarray:
        keeps = np.zeros(len(runs), dtype=bool)
        searched: list[pd.Series] = [runs[NAME], runs[ID], table_columns.values(runs, TableColumn("state"))]
        searched += [
            runs[one.source]
            for one in self.columns.values()
            if one.source.startswith("params.") and one.source in runs
        ]
        own = [f"tags.{name}" for name in table_columns.own_tags(self.tags)]
        searched += [runs[name] for name in own if name in runs]
        for texts in searched:
            keeps |= _where_text(texts, lambda text: word in text.lower())
        for name in own:
            if name in runs and word in name.removeprefix("tags.").lower():
                keeps |= runs[name].notna().to_numpy(dtype=bool)
        return keeps


def _where_text(texts: pd.Series, keeps: Callable[[str], bool]) -> np.ndarray:
    """Where a test holds of a column's texts. Each distinct text is tested once."""
    codes, found = pd.factorize(texts.to_numpy(dtype=object))
    good = np.array([keeps(str(text)) for text in found] + [False], dtype=bool)
    return good[codes]  # -1, of an absent text, is the last


def _compared(found: pd.Series, node: Compare, name: str = "") -> np.ndarray:
    """Compare a column with a value. What is absent equals `none` alone, and is neither more nor less."""
    absent = found.isna().to_numpy(dtype=bool)
    if node.sign == "!=":
        return ~_compared(found, Compare(node.name, "=", node.value, node.quoted), name)
    equality = node.sign in ("=", "==")
    if node.value.lower() == NOTHING and not node.quoted and equality:
        return absent | _where_text(found.astype("str").where(~absent), lambda text: text.lower() == NOTHING)
    if isinstance(found.dtype, pd.DatetimeTZDtype):
        return _compared_times(found, node)
    number = None if node.quoted else number_of(node.value)
    numbers = pd.to_numeric(found, errors="coerce").to_numpy(dtype=float)
    if pd.api.types.is_numeric_dtype(found.dtype):
        if number is None:
            raise FilterError(f"Filter: '{node.name}' is a number, but is compared with '{node.value}'.")
        return _by_sign(numbers, node.sign, number)
    if not equality:
        if number is None:
            raise FilterError(
                f"Filter: '{node.sign}' compares numbers, but '{node.value}' after '{node.name}' is none."
            )
        if not np.isfinite(numbers).any() and not absent.all():
            raise FilterError(f"Filter: '{node.name}' holds texts, so '{node.sign}' cannot compare it.")
        return _by_sign(numbers, node.sign, number)
    wanted = node.value.lower()
    if node.quoted:
        return _where_text(found, lambda text: text.lower() == wanted)
    pattern = re.compile(translate(wanted))
    keeps = _where_text(found, lambda text: pattern.match(text.lower()) is not None)
    return keeps if number is None else keeps | _by_sign(numbers, "=", number)


def _compared_times(found: pd.Series, node: Compare) -> np.ndarray:
    try:
        moment = pd.Timestamp(node.value)
        moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    except (ValueError, OverflowError) as error:
        raise FilterError(
            f"Filter: '{node.name}' is a time, but is compared with '{node.value}': write it as 2026-03-31."
        ) from error
    if node.sign in ("=", "=="):  # the whole day, hour or minute that was written
        end = moment + pd.Timedelta(1, "D" if len(node.value) <= 10 else "min")
        return ((found >= moment) & (found < end)).to_numpy(dtype=bool, na_value=False)
    signs = {"<": found.lt, "<=": found.le, ">": found.gt, ">=": found.ge}
    return signs[node.sign](moment).to_numpy(dtype=bool, na_value=False)


def _by_sign(numbers: np.ndarray, sign: str, number: float) -> np.ndarray:
    """Comparisons with NaN are false."""
    if sign in ("=", "=="):
        return np.isclose(numbers, number, rtol=1e-9, atol=0.0) | (numbers == number)
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[sign]
    return np.asarray(compare(numbers, number), dtype=bool)


def number_of(text: str) -> float | None:
    """Read a number or a percentage: `90%` is 0.9; None for what is neither."""
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%").replace(",", ""))
    except ValueError:
        return None
    if np.isnan(number):
        return None
    return number / 100 if percent else number


def of_text(text: str, columns: Mapping[str, TableColumn], tags: Iterable[str] = ()) -> Filter:
    """Return the filter that a text says. Raises FilterError."""
    found = Filter(parse(text), columns, tuple(tags))
    found.keys()  # unknown columns are said at once
    return found
