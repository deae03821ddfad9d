"""The stars of the table: the best of each set of images, and every row that cannot be told from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import best_marks
from core.analysis.best_marks import BEST
from core.analysis.entries import Entry, run_ids_of
from core.analysis.verdict import decide_against
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import stored_runs
from core.ui.common.kept import kept
from core.ui.common.tested import gathered, runs_by_id, state_of
from core.ui.compare.listing import Listing

MOST = 10  # rows of the best of each set of images that are compared by their test predictions
SETS = 8  # sets of images for which that is done
AT_ONCE = 2000  # runs whose marks are computed before the table is shown
RUNS = 60  # runs whose predictions are read for that
HELP = (
    f"{BEST} the best validation accuracy on its images, and every row that cannot be told from it: of the "
    f"best {MOST} by their test predictions, where these are on this machine, of all others by the 95% "
    "intervals of their validation accuracies."
)

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
    state = (listed.by, len(listed.ids), listed.ids[0], stored_runs.version())
    rows = kept(lambda: _by_numbers(listed), "stars", *state)
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


def come_later(listed: Listing) -> bool:
    """Whether the table is shown before its marks: they ask for a dozen columns of all runs, once a start."""
    return len(listed.ids) > AT_ONCE and listed.by not in _marked(get_settings())


def mark(listed: Listing, shown: Sequence[Entry]) -> None:
    """Compute the marks of a table that was shown without them, and draw the page again with them."""
    stars(listed, shown)
    _marked(get_settings()).add(listed.by)
    st.rerun()


@st.cache_resource(max_entries=2, show_spinner=False)
def _marked(settings: Settings) -> set[tuple[str, ...]]:
    """By what the runs were grouped when their marks were computed."""
    return set()


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
