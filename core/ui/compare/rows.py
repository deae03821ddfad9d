"""The rows that the table of runs lists, and how they are shown: on a page, and in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis import shown_table, table_columns
from core.analysis.differences import differing_columns
from core.analysis.entries import Entry, run_ids_of
from core.analysis.export import Table
from core.analysis.table_columns import TableColumn
from core.tracking import schema
from core.ui.common import stored_datasets, stored_runs
from core.ui.common.kept import kept
from core.ui.compare.curves import METRICS
from core.ui.compare.listing import Listing
from core.ui.compare.view import View


@dataclass(frozen=True)
class Rows:
    """The rows of the table, and what was chosen of them.

    Attributes:
        available: All columns that there are, by name.
        ticked: Rows that are ticked, shown or hidden.
        baseline: What the others are compared with.
    """

    listed: Listing
    view: View
    available: Mapping[str, TableColumn]
    ticked: tuple[Entry, ...]
    baseline: Entry | None

    def runs(self, entries: Sequence[Entry]) -> pd.DataFrame:
        """Return the runs of some rows, of the ticked ones and the baseline, with what is shown of them."""
        other = [] if self.baseline is None else [self.baseline]
        run_ids = run_ids_of([*entries, *self.ticked, *other])
        if len(run_ids) <= stored_runs.FEW:
            return stored_runs.rows(run_ids)
        names = [self.available[name] for name in self.view.columns]
        logged = [metric for metric in METRICS if metric in self.available]
        keys = table_columns.keys_of(names, stored_runs.keys()["tags"])
        return stored_runs.some(run_ids, schema.NUMBER, *logged, *keys)

    def table(
        self, entries: Sequence[Entry], runs: pd.DataFrame, marks: Mapping[str, str], drop_empty: bool
    ) -> Table:
        """Return what is written of some rows.

        Args:
            runs: `runs` of them.
            marks: Of the rows that have one, by their keys.
            drop_empty: Whether to leave out columns that no row has.
        """
        names = self._names(entries, runs)
        few, band = stored_datasets.datasets_of_few_classes(), st.session_state.get("band", "interval")

        def build() -> Table:
            return shown_table.build(
                entries,
                runs,
                names,
                self.available,
                few_classes=few,
                band=band,
                baseline=self.baseline,
                marks=marks,
                drop_empty=drop_empty,
            )

        key = (
            tuple(entries),
            tuple(names),
            tuple(few),
            band,
            self.baseline,
            drop_empty,
            tuple(marks.items()),
        )
        return kept(build, "table of runs", stored_runs.version(), *key)

    def _names(self, entries: Sequence[Entry], runs: pd.DataFrame) -> list[str]:
        """The columns that are shown: those of the view, and settings that differ where it asks for them."""
        names = [*self.view.columns]
        if not self.view.differing:
            return names
        several = self.ticked if len(run_ids_of(self.ticked)) > 1 else entries
        found = differing_columns(runs[runs["run_id"].isin(run_ids_of(several))])
        return names + [name for name in found if name in self.available and name not in names]
