"""Accuracy against cost of the chosen runs, and which of them are on the front by luck alone."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis import evidence
from core.analysis.entries import Entry, run_ids_of
from core.analysis.front import doubtful, why_doubtful
from core.figures import accuracy_cost
from core.ui.common import stored_runs, words
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.tested import gathered
from core.ui.compare.curves import styles_of

KEYS = tuple(dict.fromkeys((*evidence.KEYS, *accuracy_cost.COSTS)))


def accuracy_and_cost(entries: Sequence[Entry]) -> None:
    """Draw accuracy against one cost, among the entries that were tested on the same images."""
    say_unknown("against", [*accuracy_cost.COSTS.values()], "Cost")
    cost = st.selectbox(
        "Cost",
        accuracy_cost.COSTS,
        format_func=accuracy_cost.COSTS.__getitem__,
        key="against",
        bind=URL,
        width=320,
    )
    runs = {run.run_id: run for run in stored_runs.of_ids(run_ids_of(entries), *KEYS)}
    found = gathered(entries, runs)
    if not found.tested:
        st.info("None of these runs has test predictions.", icon=":material/info:")
        return
    choices = accuracy_cost.collect(found.tested, runs, cost)
    chart(accuracy_cost.draw(choices, styles_of(entries, runs), cost), "accuracy-cost")
    st.caption(
        f"Test accuracy on {found.images:,} images with its 95% interval. Filled: nothing as cheap or "
        "cheaper is more accurate."
    )
    for one, cheaper in doubtful(choices.choices):
        said = why_doubtful(one, cheaper, found.tested, accuracy_cost.MORE[cost])
        st.markdown(f":material/balance: {words.plain(said)}")
    if choices.missing:
        rest = f" and {len(choices.missing) - 5} more" if len(choices.missing) > 5 else ""
        names = words.plain(", ".join(choices.missing[:5]))
        st.caption(f":material/info: Left out, this cost was not logged: {names}{rest}.")
    for said in found.left_out[:5]:
        st.caption(f":material/info: {words.plain(said)}")
    if (more := len(found.left_out) - 5) > 0:
        st.caption(f":material/info: {more} more left out, as these.")
