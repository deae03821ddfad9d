"""What settings did: parallel coordinates, their importance, and two of them against each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import streamlit as st

from core.analysis.entries import Entry, run_ids_of
from core.analysis.importance import PED_ANOVA, importance, missing_runs
from core.analysis.settings_tried import KEYS, Tried, tried
from core.figures import importance as importance_figure
from core.figures import parallel, setting_heat
from core.ui.common import stored_runs, words
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL


def parallel_coordinates(entries: Sequence[Entry]) -> None:
    """Draw a line per run through the settings in which they differ."""
    found = _tried(entries)
    if found is None:
        return
    names = [*found.settings.columns]
    say_unknown("axes", names, "Settings")
    chosen = st.multiselect(
        "Settings",
        names,
        default=names[: parallel.MAX_AXES],
        max_selections=parallel.MAX_AXES,
        key="axes",
        bind=URL,
    )
    chart(parallel.draw(parallel.collect(found, chosen)), "parallel")
    st.caption("Drag along an axis to see the runs of a range alone.")


def importance_of_settings(entries: Sequence[Entry]) -> None:
    """Draw how much each setting mattered for the validation accuracy."""
    found = _tried(entries)
    if found is None:
        return
    if (reason := missing_runs(found)) is not None:
        st.info(reason, icon=":material/info:")
        return
    key = (tuple(found.settings.columns), tuple(found.score.items()))
    shares, method = _importance(key, found)
    chart(importance_figure.draw(shares), "importance")
    what = "what sets the best tenth apart" if method == PED_ANOVA else "what explains the differences"
    st.caption(
        f"{method}, by Optuna: {what}, among the values that were tried. Settings that were always changed "
        "together cannot be told apart."
    )


@st.cache_data(max_entries=8, show_spinner="Computing the importance of settings")
def _importance(key: Hashable, _tried: Tried) -> tuple[dict[str, float], str]:
    return importance(_tried)


def heat_map(entries: Sequence[Entry]) -> None:
    """Draw the mean validation accuracy over two settings."""
    found = _tried(entries)
    if found is None:
        return
    names = [*found.settings.columns]
    if len(names) < 2:
        st.info("A heat map needs two settings with several values each.", icon=":material/info:")
        return
    first, second = st.columns(2)
    for name in ("across", "down"):
        say_unknown(name, names, name.capitalize())
    x = first.selectbox("Across", names, index=0, key="across", bind=URL)
    y = second.selectbox("Down", names, index=1, key="down", bind=URL)
    if x == y:
        st.info("Choose two different settings.", icon=":material/info:")
        return
    chart(setting_heat.draw(setting_heat.collect(found, x, y), x, y), "heat")
    st.caption("Mean validation accuracy, and the number of runs it is the mean of.")


def _tried(entries: Sequence[Entry]) -> Tried | None:
    """The runs whose settings are looked at, said in words; None where no setting has two values."""
    found = tried(stored_runs.columns(*KEYS), run_ids_of(entries))
    if not len(found.settings.columns):
        st.info(
            "No two finished runs on the same images as these differ in a setting.", icon=":material/info:"
        )
        return None
    st.caption(f"All {words.count(found.score)} of the store that finished on the same images as these.")
    return found
