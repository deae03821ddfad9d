"""Overview: what runs, what is best, and what to do next; on an empty store the quickstart."""

import streamlit as st

from core import recipes
from core.jobs.groups import repeated
from core.tracking import schema
from core.ui.common import stored_runs
from core.ui.common.actions import action_button, all_archived, may_change
from core.ui.common.frame import open_page
from core.ui.compare import ahead
from core.ui.overview.next import what_next
from core.ui.overview.tables import best_runs, latest_runs
from core.ui.run.live import await_first_run, launch_all, queue_panel

with open_page("Overview", "Compare convolutional architectures: train, look, predict.") as store:
    if not stored_runs.columns().empty:
        queue_panel(store, follow=True)
        best, following = st.columns([3, 2], gap="medium")
        with best:
            best_runs()
        with following:
            what_next(store)
        latest_runs()
        ahead.prepare()
    elif not stored_runs.columns(archived=True).empty:
        all_archived()
    else:
        quickstart = recipes.get("quickstart")
        with st.container(border=True):
            st.subheader("Nothing has been trained here yet")
            if may_change():
                st.write(quickstart.description)
            groups = [repeated(config) for config in quickstart.configs]
            if action_button(
                "Start the quickstart", type="primary", icon=":material/rocket_launch:"
            ) and launch_all(groups, {schema.RECIPE: quickstart.name}):
                st.rerun()
            await_first_run()
            if may_change():
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.caption("Or begin with your own:")
                    st.page_link("pages/1_Data.py", label="Import images", icon=":material/photo_library:")
                    st.page_link("pages/2_Train.py", label="Choose models", icon=":material/model_training:")
