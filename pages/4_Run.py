"""Run: one training while it happens, and what it came to."""

import streamlit as st

from core.tracking import schema
from core.ui.common import reads, words
from core.ui.common.choose import choose_run
from core.ui.common.frame import open_page
from core.ui.run import live, results

ICON = ":material/monitoring:"

with open_page("Run", "Progress, results and mistakes of one run.") as store:
    run_id = choose_run(reads.runs())
    if run_id:
        live.run_panel(store, run_id)
        run = reads.run(run_id)
        results.warnings(run)
        if words.is_range_test(run):
            results.rate_range(store, run)
        elif run["status"] == schema.FINISHED:
            results.headline(run)
            results.mistakes(store, run)
        with st.expander("Settings", icon=":material/tune:"):
            results.settings(run)
