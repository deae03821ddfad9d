"""The charts of the Compare page, of which one kind is drawn at a time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis.entries import Entry
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare.cost import accuracy_and_cost
from core.ui.compare.curves import learning
from core.ui.compare.settings import heat_map, importance_of_settings, parallel_coordinates

VIEWS = {
    "Learning curves": learning,
    "Accuracy and cost": accuracy_and_cost,
    "Parallel coordinates": parallel_coordinates,
    "Importance": importance_of_settings,
    "Heat map": heat_map,
}


def charts(entries: Sequence[Entry]) -> None:
    """Draw the chosen kind of chart of some runs and groups of runs."""
    if not entries:
        return
    say_unknown("chart", VIEWS, "Charts")
    chosen = st.segmented_control(
        "Charts",
        VIEWS,
        default="Learning curves",
        key="chart",
        bind=URL,
        required=True,
        label_visibility="collapsed",
    )
    VIEWS[chosen](entries)
