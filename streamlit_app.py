"""Overview: what runs, what waits, the latest and the best; a first visitor starts the quickstart here."""

import streamlit as st

from core import recipes
from core.jobs.groups import repeated
from core.tracking import schema
from core.ui.common import reads
from core.ui.common.actions import action_button, may_change
from core.ui.common.frame import open_page
from core.ui.overview import tables as overview
from core.ui.run import live

with open_page("Overview", "Compare convolutional architectures: train, look, predict.") as store:
    runs = reads.runs()
    if runs.empty:
        quickstart = recipes.get("quickstart")
        with st.container(border=True):
            st.subheader("Nothing has been trained here yet")
            if may_change():
                st.write(quickstart.description)
            groups = [repeated(config) for config in quickstart.configs]
            if action_button(
                "Start the quickstart", type="primary", icon=":material/rocket_launch:"
            ) and live.launch_all(groups, {schema.RECIPE: quickstart.name}):
                st.rerun()
            live.await_first_run()
            if may_change():
                st.caption(
                    "Or import images of your own on the Data page, and choose models on the Train page."
                )
    else:
        live.queue_panel(store, follow=True)
        overview.best_runs()
        overview.latest_runs()
