"""Which rows the table of runs has: single runs, or groups of runs that share settings, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import grouping, order, table_columns
from core.analysis.entries import Entry
from core.analysis.filter_grammar import FilterError
from core.analysis.table_columns import TableColumn
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.tracking.tables import column
from core.ui.common import stored_runs, words
from core.ui.common.kept import BY_HASH
from core.ui.compare import view
from core.ui.compare.view import View


@dataclass(frozen=True)
class Listing:
    """The rows of the table, on all its pages.

    Attributes:
        runs: All runs, newest first: `run_id` and `name`, and what was read to list them.
        codes: The number of each run's row, in the order of `runs`.
        rows: The numbers of the rows that are shown, in their order.
        by: What the runs are grouped by.
    """

    runs: pd.DataFrame
    codes: np.ndarray
    rows: np.ndarray
    by: tuple[str, ...]
    columns: Mapping[str, TableColumn]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids of all runs, once: to turn a column of texts into an array takes a millisecond."""
        return self.runs["run_id"].to_numpy(dtype=object)

    @cached_property
    def _in_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The places of all runs in the order of their rows, and the rows in that order."""
        places = np.argsort(self.codes, kind="stable")
        return places, self.codes[places]

    def entry(self, row: int) -> Entry:
        """The run or group of a row."""
        order, rows = self._in_rows
        places = order[np.searchsorted(rows, row) : np.searchsorted(rows, row, side="right")]
        if not self.by:
            run_id = self.ids[places[0]]
            return Entry(run_id, words.label_of(run_id, self.runs["name"].iloc[places[0]]), (run_id,))
        settings = [one for one in self.by if one != grouping.REPEATS]
        first = self.runs.iloc[places[:1]]
        said = [str(table_columns.values(first, self.columns[one]).fillna("").iloc[0]) for one in settings]
        found = grouping.entry_at(self.ids, self.runs["name"], places, self.by, said)
        if found.is_group:
            return found
        return Entry(found.key, words.label_of(found.key, self.runs["name"].iloc[places[0]]), found.run_ids)

    def row_of(self, entry: Entry) -> int:
        """The row of one of the entries."""
        return int(self.codes[self._places[entry.run_ids[0]]])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {run_id: place for place, run_id in enumerate(self.ids)}

    def by_key(self, keys: list[str]) -> list[Entry]:
        """The entries of some keys, in their order: of rows that are shown or hidden; others are left out.

        The id of a run that is in a group stands for the group.
        """
        places = self._places if keys else {}
        found: dict[str, Entry] = {}
        for key in keys:
            place = places.get(key.removeprefix("group-"))
            if place is not None:
                entry = self.entry(int(self.codes[place]))
                found.setdefault(entry.key, entry)
        return list(found.values())


def listing(chosen: View, available: Mapping[str, TableColumn]) -> Listing:
    """Decide the rows. Of all runs only what filter, order and grouping need is read."""
    wanted, by = chosen.filter, available[chosen.sort]
    needed = [by, *(available[one] for one in chosen.group if one != grouping.REPEATS)]
    if grouping.REPEATS in chosen.group:
        needed += [one for one in available.values() if one.source.startswith("params.")]
    keys = table_columns.keys_of(needed, stored_runs.keys()["tags"])
    keys += [] if wanted is None else wanted.keys()
    if grouping.REPEATS in chosen.group:
        keys += [schema.NUMBER, schema.EXTENDS]
    runs = stored_runs.columns(schema.PINNED, *keys, archived=chosen.archived)
    codes = _alone(_codes(chosen.group, runs, available), runs)
    shown = np.ones(len(runs), dtype=bool)
    if wanted is not None:
        try:
            shown = wanted.rows(runs).to_numpy()
        except FilterError as error:
            view.say(error)
    rows = pd.unique(codes[shown])
    values = table_columns.values(runs, by)
    if chosen.group:
        values = grouping.finished_means(values, runs, codes).reindex(rows)
        pinned = np.zeros(len(rows), dtype=bool)
    else:
        values = values[shown]
        pinned = column(runs, f"tags.{schema.PINNED}", object).notna().to_numpy()[shown]
    places = order.ordered(values, by, chosen.reverse)
    places = np.concatenate([places[pinned[places]], places[~pinned[places]]])
    return Listing(runs, codes, rows[places], chosen.group, available)


def _codes(group: tuple[str, ...], runs: pd.DataFrame, available: Mapping[str, TableColumn]) -> np.ndarray:
    if grouping.REPEATS not in group:
        return grouping.codes_of(runs, group, available)
    ids = tuple(runs["run_id"].to_numpy(dtype=object).tolist())
    return _repeats(get_settings(), group, ids, int(runs.count().sum()), runs, available)


def _alone(codes: np.ndarray, runs: pd.DataFrame) -> np.ndarray:
    """Give every archived run a row of its own."""
    archived = column(runs, f"tags.{schema.ARCHIVED}", object).notna().to_numpy()
    if not archived.any():
        return codes
    return np.where(archived, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=BY_HASH)
def _repeats(
    settings: Settings,
    group: tuple[str, ...],
    run_ids: tuple[str, ...],
    logged: int,
    _runs: pd.DataFrame,
    _available: Mapping[str, TableColumn],
) -> np.ndarray:
    """Kept while there are the same runs with as many values: what a run logged once does not change."""
    return grouping.codes_of(_runs, group, _available)
