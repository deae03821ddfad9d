"""The runs of a tracking server in memory, renewed by the few that can have changed.

To read all runs over HTTP takes seconds from a few hundred on. So a look asks for the newest runs, for those
that run or wait, and one by one for those that have ended since the last look or that this process has
changed. What others change on runs that have ended (a tag, a deletion) is found by reading all runs again, in
the background and at most a tenth of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

from core.tracking.errors import StoreError

if TYPE_CHECKING:
    from mlflow.entities import Run

LOOK_S = 1.0  # how long a look stands
ALL_S = 20.0  # between two readings of all runs; longer where one takes more than a tenth of it
NEWEST = 50  # runs that a look asks for first


class Source(Protocol):
    """How the runs of a server are asked for. Each method raises StoreError."""

    def every(self, page: int) -> Iterator[list[Run]]:
        """All runs that were not deleted, the newest first, in pages."""

    def alive(self) -> list[Run]:
        """Those that are SCHEDULED or RUNNING."""

    def one(self, run_id: str) -> Run | None:
        """A run as it is; None where it was deleted."""


@dataclass(frozen=True)
class Row:
    """A run as a row of a table. values: by the names of its columns. digest: of its dataset, or None."""

    values: dict[str, Any]
    digest: str | None


@dataclass
class _State:
    rows: dict[str, Row] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)


class ServerRuns:
    """All runs of one server. Every method may be called from several threads.

    Args:
        source: Where they are.
        row_of: Turns a run into a row.
        page: Runs per request when all are read.
    """

    def __init__(self, source: Source, row_of: Callable[[Run], Row], page: int):
        self._source, self._row_of, self._page = source, row_of, page
        self._lock = Lock()
        self._state: _State | None = None
        self._changed: set[str] = set()  # by this process, since the last look
        self._changed_lock = Lock()
        self._version, self._looked_at = 0, 0.0
        self._all_at, self._all_took = 0.0, 0.0  # when the last reading of all began, and its seconds
        self._reading: Thread | None = None
        self._asked: set[str] = set()  # one by one, since the last reading of all began

    def rows(self) -> list[Row]:
        """Return all runs, as they were at most `LOOK_S` ago; see `age` for those that have ended."""
        with self._lock:
            return [*self._current().rows.values()]

    def version(self) -> int:
        """Return a number that changes with the runs."""
        with self._lock:
            self._current()
            return self._version

    def age(self) -> float:
        """Return the seconds since all runs were last read: the age of what others changed on ended runs."""
        with self._lock:
            return 0.0 if self._state is None else time.monotonic() - self._all_at

    def changed(self, run_id: str) -> None:
        """Ask for a run at the next look: this process has just changed it."""
        with self._changed_lock:
            self._changed.add(run_id)

    def expect_changes(self) -> None:
        """Look again at the next question."""
        with self._lock:
            self._looked_at = 0.0

    def _current(self) -> _State:
        if self._state is None:
            self._take_all(*self._read_all())
        elif time.monotonic() - self._looked_at >= LOOK_S:
            self._look(self._state)
            if self._reading is None and time.monotonic() - self._all_at >= max(ALL_S, 10 * self._all_took):
                self._asked = set()
                self._reading = Thread(target=self._renew_all, daemon=True)
                self._reading.start()
        assert self._state is not None
        return self._state

    def _read_all(self) -> tuple[dict[str, Row], float]:
        began = time.monotonic()
        return {
            run.info.run_id: self._row_of(run) for page in self._source.every(self._page) for run in page
        }, began

    def _take_all(self, rows: dict[str, Row], began: float) -> None:
        self._all_at, self._all_took = began, time.monotonic() - began
        before = self._state.rows if self._state is not None else None
        alive = self._state.alive if self._state is not None else set()
        self._state = _State(rows, alive)
        if rows != before:
            self._version += 1
        with self._changed_lock:
            self._changed |= self._asked  # the reading may have passed them before they changed
        self._look(self._state)  # what has changed while all were read

    def _renew_all(self) -> None:
        """Read all runs without keeping visitors waiting."""
        try:
            rows, began = self._read_all()
            with self._lock:
                self._take_all(rows, began)
        except StoreError:
            with self._lock:
                self._all_at = time.monotonic() - ALL_S / 2  # the next look says so; tried again later
        finally:
            self._reading = None

    def _look(self, state: _State) -> None:
        """Renew the runs that can have changed since the last look."""
        with self._changed_lock:
            changed, self._changed = self._changed, set()
        try:
            found = {run.info.run_id: run for run in self._source.alive()}
            alive = set(found)
            for page in self._source.every(NEWEST):
                new = [run for run in page if run.info.run_id not in state.rows]
                found |= {run.info.run_id: run for run in page}
                if not new:
                    break
            gone = []
            for run_id in (state.alive | changed) - set(found):
                self._asked.add(run_id)
                run = self._source.one(run_id)
                if run is None:
                    gone.append(run_id)
                else:
                    found[run_id] = run
        except BaseException:
            with self._changed_lock:
                self._changed |= changed
            raise
        rows = {run_id: self._row_of(run) for run_id, run in found.items()}
        if any(state.rows.get(run_id) != row for run_id, row in rows.items()) or any(
            run_id in state.rows for run_id in gone
        ):
            self._version += 1
        state.rows |= rows
        for run_id in gone:
            state.rows.pop(run_id, None)
        state.alive = alive
        self._looked_at = time.monotonic()
