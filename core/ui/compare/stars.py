"""The stars of the table: the best of each set of images, and every row that cannot be told from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock, Thread

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import best_marks
from core.analysis.best_marks import BEST
from core.analysis.entries import Entry, run_ids_of
from core.analysis.verdict import decide_against
from core.system.settings import Settings, get_settings
from core.tracking import frames, schema
from core.tracking.errors import fault_of
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import guard, stored_runs
from core.ui.common.kept import kept
from core.ui.common.tested import gathered, runs_by_id, state_of
from core.ui.compare.listing import Listing

MOST = 10  # rows of the best of each set of images that are compared by their test predictions
SETS = 8  # sets of images for which that is done
AT_ONCE = 2000  # runs whose marks are computed before the table is shown
LOOK_S = 0.5
RUNS = 60  # runs whose predictions are read for that
HELP = (
    f"{BEST} the best validation accuracy on its images, and every row that cannot be told from it: of the "
    f"best {MOST} by their test predictions, where these are on this machine, of all others by the 95% "
    "intervals of their validation accuracies."
)

FOLLOWS = "The best rows are marked in a moment."
ORDER = (
    "Stars need not be on top: rows compete on their own images alone, whatever they are sorted by, and of "
    f"the best {MOST} the test predictions decide, not the validation accuracies."
)


def stars(listed: Listing, shown: Sequence[Entry]) -> dict[str, str]:
    """Return the marks of the rows that have one, by their keys.

    shown: Those of the page: test predictions are read of what competes with them alone.
    """
    if not shown:
        return {}
    rows = _standings(listed)
    codes = {entry.key: listed.row_of(entry) for entry in shown}
    ranked = {key: code for key, code in codes.items() if code in rows.index}
    found = {key: BEST for key, code in ranked.items() if rows["equal"][code]}
    for basis in [*dict.fromkeys(rows["basis"][list(ranked.values())])][:SETS]:
        best = [listed.entry(code) for code in rows.index[rows["basis"] == basis][:MOST]]
        for key, equal in _by_predictions(best).items():
            found.pop(key, None)
            if equal:
                found[key] = BEST
    return found


def say_order(marks: Mapping[str, str], shown: Sequence[Entry]) -> None:
    """Say why a star stands below a row that has none, where one does."""
    marked = [entry.key in marks for entry in shown]
    if any(marked) and not all(marked[: marked.count(True)]):
        st.caption(f":material/info: {ORDER}")


def follow(listed: Listing, shown: Sequence[Entry]) -> bool:
    """Start to compute the marks of a large table beside the page, which is drawn again once they are there.

    They ask for a dozen columns of all runs. That is done once after a start of the server; from then on
    `stars` takes the time of any other part of the page.

    Returns:
        Whether the table is to be shown without its marks.
    """
    if len(listed.ids) <= AT_ONCE:
        return False
    _marking(get_settings()).begin(listed.by, lambda: _read_and_mark(listed, shown))
    return not are_computed(listed.by)


@guard.fragment(run_every=LOOK_S)
def draw_again_with_marks(by: tuple[str, ...]) -> None:
    """Say that the marks are computed, and draw the page again once they are there."""
    if are_computed(by):
        st.rerun()
    st.caption(f":material/hourglass: {FOLLOWS}")


def begin_ahead() -> None:
    """Begin to compute the marks of single runs in a large store, before anybody asks for them."""
    runs = stored_runs.columns()
    if len(runs) > AT_ONCE:
        alone = np.arange(len(runs))
        listed = Listing(runs, alone, alone, (), {})
        _marking(get_settings()).begin(listed.by, lambda: _read_and_mark(listed, ()))


def are_computed(by: tuple[str, ...]) -> bool:
    """Whether the marks of a large store were computed since the start of the server."""
    return _marking(get_settings()).is_done(by)


class _Marking:
    """Threads that compute marks, by what the runs are grouped."""

    def __init__(self) -> None:
        self._lock, self._threads = Lock(), dict[tuple[str, ...], Thread]()

    def begin(self, by: tuple[str, ...], compute: Callable[[], object]) -> None:
        """Compute in a thread, unless that was done or is being done."""
        with self._lock:
            if by not in self._threads:
                self._threads[by] = Thread(target=compute, daemon=True)
                self._threads[by].start()

    def is_done(self, by: tuple[str, ...]) -> bool:
        """Whether a thread has ended. What it could not read, the page reads and says what is wrong."""
        return by in self._threads and not self._threads[by].is_alive()


@st.cache_resource(max_entries=2, show_spinner=False)
def _marking(settings: Settings) -> _Marking:
    return _Marking()


def _read_and_mark(listed: Listing, shown: Sequence[Entry]) -> None:
    try:
        for key in best_marks.KEYS:  # one by one: whoever reads other columns meanwhile waits for one of them
            frames.runs(get_store(), [key], recent=True)
        stars(listed, shown)
        _standings(listed)  # also where no row is shown
    except Exception as error:
        if fault_of(error) is None:  # else the page meets it too, and says what is wrong
            raise


def _standings(listed: Listing) -> pd.DataFrame:
    """Return `best_marks.standings` of the rows of the table, kept while no run changes."""
    state = (listed.by, len(listed.ids), listed.ids[0], stored_runs.version())
    return kept(lambda: _by_numbers(listed), "stars", *state)


def _by_numbers(listed: Listing) -> pd.DataFrame:
    """`best_marks.standings` of the rows of the table; archived runs are in none."""
    runs = stored_runs.columns(*best_marks.KEYS)
    codes = pd.Series(listed.codes, index=listed.ids).reindex(runs["run_id"].to_numpy(dtype=object))
    known = codes.notna().to_numpy()
    return best_marks.standings(runs[known], codes.to_numpy()[known].astype(np.int64))


def _by_predictions(best: Sequence[Entry]) -> Mapping[str, bool]:
    """Which rows the test predictions do not tell from the first one, of those that have some here."""
    if len(run_ids_of(best)) > RUNS:
        return {}
    runs = runs_by_id(best)
    return kept(lambda: _compared(best, runs), "stars by predictions", tuple(best), state_of(runs))


def _compared(best: Sequence[Entry], runs: Mapping[str, Run]) -> Mapping[str, bool]:
    here = [entry for entry in best if all(_is_here(run_id) for run_id in entry.run_ids)]
    if best[0] not in here or len(here) < 2:
        return {}
    found = gathered(here, runs)
    tested = [one.key for one in found.tested]
    if best[0].key not in tested or len(tested) < 2:
        return {}
    alike = {best[0].key, *decide_against(found, best[0].key)}
    return {key: key in alike for key in tested}


def _is_here(run_id: str) -> bool:
    """Whether the test predictions of a run can be read without asking a server for them."""
    folder = get_store().read.local_artifacts(run_id)
    return folder is not None and (folder / schema.PREDICTIONS).is_file()
