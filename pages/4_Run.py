"""Run: one run while it trains, and its results."""

import streamlit as st

from core.tracking import schema
from core.ui.common import reads
from core.ui.common.choose import choose_run
from core.ui.common.frame import open_page
from core.ui.run.live import run_panel
from core.ui.run.results import headline, mistakes, rate_range, settings, warnings

ICON = ":material/monitoring:"

with open_page("Run", "Progress, results and mistakes of one run.") as store:
    run_id = choose_run(reads.runs())
    if run_id:
        run_panel(store, run_id)
        run = reads.run(run_id)
        warnings(run)
        if run.is_range_test:
            rate_range(store, run)
        elif run.status == schema.FINISHED:
            headline(run)
            mistakes(store, run)
        with st.expander("Settings", icon=":material/tune:"):
            settings(run)
