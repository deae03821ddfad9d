"""What was read of single runs while none changed: the parts of a page ask for the same ones again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import pandas as pd

from core.tracking.run import Run, runs_of
from core.tracking.tables import RUN_COLUMNS

ROWS_KEPT = 1000  # runs of which everything is kept
TABLES_KEPT = 32  # tables of some of them, by the ids that were asked for


class ReadRows:
    """All that runs have logged, read once for each of them."""

    def __init__(self, read: Callable[[Sequence[str]], pd.DataFrame]):
        """read: returns all that some runs have logged, a row per run that exists (`frames.of_runs`)."""
        self._read, self._lock = read, Lock()
        self._forget()

    def of(self, run_ids: Sequence[str]) -> pd.DataFrame:
        """Return some rows in the order of their ids, without columns that are empty in all of them.

        The frame shares its values with those of other visitors; pandas copies what a page changes.
        """
        with self._lock:
            return self._table(tuple(dict.fromkeys(run_ids))).copy(deep=False)

    def runs(self, run_ids: Sequence[str]) -> list[Run]:
        """Return those of some runs that exist, in the order of their ids."""
        wanted = tuple(dict.fromkeys(run_ids))
        with self._lock:
            if any(run_id not in self._runs for run_id in wanted):
                table = self._table(wanted)  # before the runs are kept: it may forget those of others
                self._runs.update(dict.fromkeys(wanted))
                self._runs.update({run.run_id: run for run in runs_of(table)})
            return [run for run_id in wanted if (run := self._runs[run_id]) is not None]

    def _forget(self) -> None:
        self._found, self._places = pd.DataFrame(columns=[*RUN_COLUMNS]), dict[str, int]()
        self._asked = set[str]()
        self._tables = OrderedDict[tuple[str, ...], pd.DataFrame]()
        self._runs = dict[str, Run | None]()

    def _table(self, run_ids: tuple[str, ...]) -> pd.DataFrame:
        if (kept := self._tables.get(run_ids)) is not None:
            self._tables.move_to_end(run_ids)
            return kept
        self._read_missing(run_ids)
        rows = self._found.iloc[[self._places[one] for one in run_ids if one in self._places]]
        empty = [name for name in rows if name not in RUN_COLUMNS and rows[name].isna().all()]
        self._tables[run_ids] = rows.drop(columns=empty).reset_index(drop=True)
        if len(self._tables) > TABLES_KEPT:
            self._tables.popitem(last=False)
        return self._tables[run_ids]

    def _read_missing(self, run_ids: Sequence[str]) -> None:
        new = [run_id for run_id in run_ids if run_id not in self._asked]
        if not new:
            return
        if len(self._asked) + len(new) > ROWS_KEPT:
            self._forget()
            new = list(run_ids)
        read = self._read(new)
        both = pd.concat([one for one in (self._found, read) if len(one)] or [read], ignore_index=True)
        rest = sorted(name for name in both if name not in RUN_COLUMNS)
        self._found = both[[*RUN_COLUMNS, *rest]]
        self._places = {run_id: place for place, run_id in enumerate(self._found["run_id"])}
        self._asked.update(new)
