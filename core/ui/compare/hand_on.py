"""The button that makes one HTML file of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis.entries import Entry, run_ids_of
from core.study import render, study_of
from core.tracking import schema
from core.tracking.store import get_store
from core.ui.common import stored_runs
from core.ui.compare.curves import styles_of


def hand_on(entries: Sequence[Entry]) -> None:
    """Offer the compared runs as a file; it is made when somebody asks for it, and needs a tick."""
    if not entries:
        return
    if not st.query_params.get_all("runs"):
        st.caption("Tick runs to hand on their comparison as one file.")
        return
    runs = {run.run_id: run for run in stored_runs.of_ids(run_ids_of(entries), schema.NUMBER)}
    styles = styles_of(entries, runs)
    st.download_button(
        "Hand on",
        lambda: render(study_of(get_store(), entries, styles)).encode(),
        file_name="study.html",
        mime="text/html",
        icon=":material/ios_share:",
        on_click="ignore",
        help="One HTML file to send to others: verdict, table, curves, costs, deciding images, settings and "
        "configs. It needs no server and no network.",
    )
