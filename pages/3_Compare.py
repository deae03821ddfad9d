"""Compare: a table of runs, and the curves of the chosen ones overlaid."""

import streamlit as st

from core.ui import compare, reads, run_actions
from core.ui.frame import open_page

ICON = ":material/query_stats:"

with open_page("Compare", "Runs side by side; the same colour is the same run on every page.") as store:
    runs = reads.runs()
    if runs.empty:
        st.info("No run to compare yet: start some on the Train page.", icon=":material/info:")
        st.page_link("pages/2_Train.py", label="Go to Train", icon=":material/model_training:")
    else:
        chosen, selected = compare.table(runs)
        run_actions.delete_many(store, runs[runs["run_id"].isin(selected)])
        compare.curves(runs, chosen)
        compare.groups(runs)
