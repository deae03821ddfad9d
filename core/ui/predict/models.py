"""Which models answer on the Predict page: those of the address, else the best that can be compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import best_marks
from core.tracking.tables import column
from core.ui.common import stored_predictions, stored_runs, words
from core.ui.common.actions import train_first
from core.ui.common.kept import kept

MOST = 4  # models that answer side by side
SHOWN_TO_OTHERS = 2  # of them in the stakeholder view
KEY, SEEN = "models", "models of the address"


class Best(NamedTuple):
    """The run that a visitor meets first, and a sentence on why; empty where there is nothing to choose."""

    run_id: str
    why: str


def choose_models() -> list[str]:
    """Draw the choice of up to four runs, which stands in the address as `run`; return their ids.

    Runs of the address are kept as they are; without any, the best one answers.
    """
    runs = stored_predictions.predicting_runs()
    chosen = wanted_models(runs, MOST)
    if runs.empty:
        train_first("No run to show yet")
        return []
    labels = words.run_labels(runs)
    best = best_run(runs)
    if st.session_state.get(KEY) != chosen:
        st.session_state[KEY] = chosen
    chosen = st.multiselect(
        "Models",
        list(labels),
        format_func=labels.__getitem__,
        key=KEY,
        max_selections=MOST,
        placeholder="Choose a finished run",
        help=f"Up to {MOST} answer for the same image, side by side.",
    )
    _remember(chosen)
    if not chosen:
        st.info("Choose a model above.", icon=":material/info:")
    elif chosen == [best.run_id] and best.why:
        st.caption(best.why)
    return chosen


def wanted_models(runs: pd.DataFrame, most: int) -> list[str]:
    """Return the runs that a visitor wants: those chosen before, of the address, or the best.

    What the address names and cannot be had is said.

    Args:
        runs: Those that can predict, newest first.
        most: How many are returned at most.
    """
    wanted = [*dict.fromkeys(st.query_params.get_all("run"))]
    if runs.empty:
        _say_missing(wanted, "")
        return []
    known = set(runs["run_id"])
    if wanted != st.session_state.get(SEEN):  # came by a link, not by a choice on the page
        here = [one for one in wanted if one in known]
        _say_missing([one for one in wanted if one not in known], "" if here else " This is the best one.")
        if len(here) > most:
            st.warning(
                f"This address names {len(here)} runs; the first {most} answer.", icon=":material/link_off:"
            )
        chosen = here[:most]
    elif chosen := [one for one in st.session_state.get(KEY, wanted) if one in known]:
        return chosen[:most]
    elif st.session_state.get(KEY) == []:
        return []  # a person took all away
    chosen = chosen or [best_run(runs).run_id]
    _remember(chosen)
    return chosen


def best_run(runs: pd.DataFrame) -> Best:
    """Return the best run on the images on which a run was validated last, by validation accuracy.

    Of runs that no other one can be compared with it is the newest.

    Args:
        runs: Those that can predict, newest first, at least one.
    """
    ids = tuple(runs["run_id"])
    return kept(lambda: _best(ids), "best run", hash(ids), stored_runs.version())


def _best(run_ids: tuple[str, ...]) -> Best:
    every = stored_runs.columns(*best_marks.KEYS)
    every = every[every["run_id"].isin(run_ids)].reset_index(drop=True)
    names = column(every, "params.data.name", object)
    if not names.notna().any():
        return Best(run_ids[0], "")
    newest = every[(names == names[names.first_valid_index()]).to_numpy()].reset_index(drop=True)
    rows = best_marks.standings(newest, np.arange(len(newest)))
    if rows.empty:
        return Best(newest["run_id"].iloc[0], "")
    rows = rows[rows["basis"] == rows["basis"][rows.index.min()]]  # the rows are numbered newest first
    alike = int(rows["equal"].sum()) - 1
    also = f"; {alike} cannot be told from it" if alike else ""
    why = f"The best of {len(rows)} runs on the same images, by validation accuracy{also}."
    return Best(newest["run_id"].iloc[rows.index[0]], why)


def _remember(chosen: list[str]) -> None:
    st.session_state[SEEN] = list(chosen)
    if chosen != st.query_params.get_all("run"):
        st.query_params["run"] = chosen


def _say_missing(run_ids: list[str], instead: str) -> None:
    for run_id in run_ids[:MOST]:
        reason = stored_predictions.why_it_cannot_predict(run_id)
        if reason or instead:
            said = words.plain(reason or "The run of this address is not here.")
            st.warning(f"{said}{instead}", icon=":material/link_off:")
