"""The runs of a tracking database as columns in memory: read once, and renewed by what was written since.

A page draws its table from a handful of the hundred columns that runs have, again and again, while next to
nothing changes. So a column is read when it is first asked for, kept as an array, and brought up to date from
the rows that changed; when nothing was committed, the last answer stands. All visitors of a process share it.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import Connection

from core.tracking import schema
from core.tracking.changes import Rows, Token, changes_of, rows_of
from core.tracking.column_queries import DIGESTS, RUNS, keys_of, rows_of_keys, rows_of_runs
from core.tracking.connections import KeptConnection
from core.tracking.lazy_pandas import pd
from core.tracking.run_columns import Column, column_of_rows
from core.tracking.tables import RUN_COLUMNS

KINDS = ("params", "metrics", "tags")
FRAMES_KEPT = 8  # answers to different questions
MANY = 500  # new runs; for more, whole columns are read again
TAGS_S = 2.0  # how long a changed tag of a run that has ended may stay unseen
LOSS = "loss"  # its last step is the last epoch of a run


@dataclass
class Runs:
    """The rows of the table of runs that were not deleted, newest first."""

    ids: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # name, status, start, end by run id


class ReadModel:
    """All runs of one database. Every method may be called from several threads.

    Args:
        uri: of an SQLite or PostgreSQL database.
    """

    def __init__(self, uri: str):
        self.uri = uri
        self._changes = changes_of(uri)
        self._connection = KeptConnection(uri)
        self._lock = Lock()
        self._forget()

    def runs(self, keys: Sequence[str] | None = None, recent: bool = False) -> tuple[pd.DataFrame, int]:
        """Return the frame of `frames.runs` as the database is now, and a number that tells states apart.

        The frame shares its values with later answers; pandas copies what its holder changes.

        Args:
            keys: as in `frames.runs`.
            recent: Tags of runs that have ended may be up to `TAGS_S` old. To read them all after every
                commit is what costs most.

        Raises:
            StoreError: The database cannot be used.
        """
        with self._current(keys, recent):
            question = None if keys is None else tuple(sorted({*keys}))
            if question not in self._answers:
                self._answers[question] = self._answer(keys)
                while len(self._answers) > FRAMES_KEPT:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(question)
            return self._answers[question].copy(deep=False), self._version

    def version(self) -> int:
        """Return a number that changes when the runs have changed. Raises StoreError."""
        with self._current([], recent=True):
            return self._version

    def keys(self) -> dict[str, list[str]]:
        """The names in use, by kind, as `RunReader.keys` describes them. Raises StoreError."""
        with self._current([""], recent=True):
            return {kind: sorted(self._known[kind]) for kind in KINDS}

    @contextmanager
    def _current(self, keys: Sequence[str] | None, recent: bool) -> Iterator[None]:
        """Hold the columns of some keys still, as they are in the database now."""
        with self._lock, self._connection.use() as (connection, is_new):
            if is_new:
                self._forget()
            try:
                self._renew(connection, keys, recent)
            except BaseException:
                self._forget()  # a part may be of one moment and a part of another
                raise
            yield

    def expect_new_tags(self) -> None:
        """Read the tags of all runs at the next question: this process has just changed some."""
        with self._lock:
            self._tags_read, self._tags_due = -math.inf, True

    def close(self) -> None:
        """Close the connection to the database; the next question opens another, and reads all anew."""
        with self._lock:
            self._connection.close()

    def _forget(self) -> None:
        self._version = getattr(self, "_version", 0) + 1
        self._token: Token | None = None
        self._mark: Token = ()
        self._runs = Runs()
        self._columns: dict[str, dict[str, Column]] = {kind: {} for kind in KINDS}
        self._known: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self._tags_read, self._tags_due = -math.inf, False  # when all were read; whether some may differ
        self._active: set[str] = set()
        self._digests: dict[str, str] | None = None
        self._answers: OrderedDict[tuple[str, ...] | None, pd.DataFrame] = OrderedDict()

    def _renew(self, connection: Connection, keys: Sequence[str] | None, recent: bool) -> None:
        """Bring what is kept up to date, and read what was not asked for before."""
        token = self._changes.token(connection)  # first: what is written meanwhile is seen next time
        connection.rollback()
        all_tags = not recent or time.monotonic() - self._tags_read >= TAGS_S
        late = self._tags_due and all_tags
        unchanged = token == self._token and not late
        if unchanged and not self._missing(keys):
            return
        self._changes.begin(connection)
        try:
            if not unchanged:
                self._renew_rows(connection, all_tags)
            self._read_missing(connection, keys)
        finally:
            connection.rollback()
        self._token = token

    def _renew_rows(self, connection: Connection, all_tags: bool) -> None:
        rows = rows_of(connection, RUNS)
        first = self._token is None
        changed = None if first else self._written(connection)
        self._mark = self._changes.mark(connection)
        appeared = self._replace_rows(rows)
        if changed is None or len(appeared) > MANY:
            if not first:
                for kind in ("params", "metrics"):
                    self._columns[kind] = {}
                    self._known[kind] = set()
        else:
            for kind, found in changed.items():
                self._take(kind, found)
            for kind in changed:  # a run that was restored was not written to
                self._take(kind, rows_of_runs(connection, kind, appeared))
        self._renew_tags(connection, appeared, all_tags)
        self._digests = None
        self._version += 1
        self._answers.clear()

    def _renew_tags(self, connection: Connection, appeared: Sequence[str], all_tags: bool) -> None:
        """Read the tags of the runs that may be written to now; every other second, those of all runs.

        Tags are changed and taken away at any time, and no database says which: only a look at all tells.
        """
        active = {run_id for run_id, row in self._runs.rows.items() if row[1] in schema.ACTIVE}
        before, self._active = self._active, active  # one that has just ended is read once more
        if all_tags:
            asked = [*self._columns["tags"]]
            self._columns["tags"], self._known["tags"] = {}, keys_of(connection, "tags")
            self._read("tags", [key for key in asked if key in self._known["tags"]], connection)
            self._tags_read, self._tags_due = time.monotonic(), False
            return
        self._tags_due = True
        some = [run_id for run_id in {*active, *before, *appeared} if run_id in self._runs.places]
        for column in self._columns["tags"].values():
            column.remove([self._runs.places[run_id] for run_id in some])
        self._take("tags", rows_of_runs(connection, "tags", some))

    def _written(self, connection: Connection) -> dict[str, Rows] | None:
        """The parameters and metrics written since the last look; None when that cannot be told."""
        params = self._changes.params(connection, self._mark)
        metrics = self._changes.metrics(connection, self._mark)
        return None if params is None or metrics is None else {"params": params, "metrics": metrics}

    def _replace_rows(self, rows: Rows) -> list[str]:
        """Take the table of runs as it is now; returns the ids that were not there before."""
        before = self._runs
        found = {row[0]: tuple(row[1:]) for row in rows}
        if found.keys() == before.rows.keys() and all(
            before.rows[one][2] == row[2] for one, row in found.items()
        ):
            before.rows = found
            return []
        starts = {run_id: -1 if row[2] is None else row[2] for run_id, row in found.items()}
        ids = sorted(found, key=lambda run_id: (starts[run_id], run_id), reverse=True)
        self._runs = Runs(ids, {run_id: place for place, run_id in enumerate(ids)}, found)
        old = np.array([before.places.get(run_id, -1) for run_id in ids], dtype=np.int64)
        for columns in self._columns.values():
            for key, column in columns.items():
                columns[key] = column.moved(old)
        return [run_id for run_id in ids if run_id not in before.rows]

    def _missing(self, keys: Sequence[str] | None) -> bool:
        wanted = self._wanted(keys)
        digests = keys is None or schema.FINGERPRINT in keys
        return (digests and self._digests is None) or any(
            key not in self._columns[kind] for kind in KINDS for key in wanted[kind]
        )

    def _wanted(self, keys: Sequence[str] | None) -> dict[str, list[str]]:
        """The keys of each kind that a question names, of those that exist."""
        if keys is None:
            return {kind: sorted(self._known[kind]) for kind in KINDS}
        asked = {*keys, schema.GROUP, LOSS}
        beginnings = tuple(key for key in asked if key.endswith("."))
        return {
            kind: sorted(
                key
                for key in self._known[kind]
                if key in asked or (beginnings and key.startswith(beginnings))
            )
            for kind in KINDS
        }

    def _read_missing(self, connection: Connection, keys: Sequence[str] | None) -> None:
        for kind in KINDS:
            if not self._known[kind]:
                self._known[kind] = keys_of(connection, kind)
        wanted = self._wanted(keys)
        for kind in KINDS:
            self._read(kind, [key for key in wanted[kind] if key not in self._columns[kind]], connection)
        if self._digests is None and (keys is None or schema.FINGERPRINT in keys):
            self._digests = dict(rows_of(connection, DIGESTS))

    def _read(self, kind: str, keys: Collection[str], connection: Connection) -> None:
        """Read whole columns."""
        if not keys:
            return
        found: dict[str, list[Any]] = {key: [] for key in keys}
        for row in rows_of_keys(connection, kind, keys):
            found[row[1]].append(row)
        same: dict[Any, Any] = {}  # most texts occur in many runs: each is kept once
        for key, rows in found.items():
            self._columns[kind][key] = column_of_rows(kind == "metrics", rows, self._runs.places, same)

    def _take(self, kind: str, rows: Rows) -> None:
        """Put rows into the columns that are kept; their keys are known from now on."""
        self._known[kind].update(row[1] for row in rows)
        places, columns = self._runs.places, self._columns[kind]
        by_key: dict[str, list[tuple[int, list[Any]]]] = {}
        for run_id, key, *value in rows:
            if key in columns and run_id in places:
                by_key.setdefault(key, []).append((places[run_id], value))
        for key, found in by_key.items():
            columns[key].put([place for place, _ in found], [value for _, value in found])

    def _answer(self, keys: Sequence[str] | None) -> pd.DataFrame:
        """Make the frame for a question from the columns."""
        runs, parts = self._runs, {}
        rows = [runs.rows[run_id] for run_id in runs.ids]
        name, status, start, end = ([row[at] for row in rows] for at in range(4))
        parts["run_id"] = pd.Series(runs.ids, dtype="str")
        parts["name"], parts["status"] = pd.Series(name, dtype="str"), pd.Series(status, dtype="str")
        for label, of in (("started", start), ("ended", end)):
            parts[label] = pd.to_datetime(pd.Series(of, dtype="Float64"), unit="ms", utc=True)
        losses = self._columns["metrics"].get(LOSS)
        none = np.full(len(rows), np.nan)
        parts["last_epoch"] = pd.Series(
            none if losses is None or losses.steps is None else np.where(losses.present, losses.steps, np.nan)
        )
        others: dict[str, pd.Series] = {}
        wanted = self._wanted(keys)
        hidden = (
            set() if keys is None else {schema.GROUP, LOSS}.difference(_named(keys, (schema.GROUP, LOSS)))
        )
        for kind in KINDS:
            for key in wanted[kind]:
                column = self._columns[kind][key]
                if key not in hidden and column.present.any():
                    others[f"{kind}.{key}"] = column.as_series()
        if self._digests and (keys is None or schema.FINGERPRINT in keys):
            label = f"params.{schema.FINGERPRINT}"
            logged = others.get(label, pd.Series(np.full(len(rows), None), dtype="str"))
            noted = pd.Series([self._digests.get(run_id) for run_id in runs.ids], dtype="str")
            others[label] = logged.where(logged.notna(), noted)
        others.pop(f"tags.{schema.GROUP}", None)
        frame = pd.DataFrame(parts | {label: others[label] for label in sorted(others)})
        groups = self._columns["tags"].get(schema.GROUP)
        if groups is not None and groups.present.any():
            frame = frame[~groups.present].reset_index(drop=True)
        assert [*frame.columns[: len(RUN_COLUMNS)]] == RUN_COLUMNS
        return frame


@cache
def read_model(uri: str) -> ReadModel:
    """The read model of a database, one for this process."""
    return ReadModel(uri)


def _named(keys: Sequence[str], candidates: Iterable[str]) -> set[str]:
    beginnings = tuple(key for key in keys if key.endswith("."))
    return {one for one in candidates if one in keys or (beginnings and one.startswith(beginnings))}
