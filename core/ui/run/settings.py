"""The settings of a run: what differs from the defaults first, then all."""

from __future__ import annotations

import streamlit as st

from core.analysis.changed import settings_table
from core.tracking.run import Run


def settings(run: Run) -> None:
    """Draw the settings that differ from the defaults, and an expander with every one."""
    table = settings_table(run)
    changed = table[table["changed"]]
    st.subheader("Settings")
    if changed.empty:
        st.caption("Every logged setting is the default.")
    else:
        st.caption("What differs from the defaults.")
        st.dataframe(changed[["setting", "value", "default"]], hide_index=True, height="content")
    with st.expander(f"All {len(table)} settings", icon=":material/tune:"):
        st.dataframe(table[["setting", "value", "default"]], hide_index=True)
        st.caption(f"run id {run.run_id}")
