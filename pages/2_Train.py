"""Train: one form, one run in the queue for each chosen model."""

import streamlit as st

from core.jobs.executors.spare import ask_for_spare
from core.ui.common import stored_datasets
from core.ui.common.actions import action_button, may_change
from core.ui.common.frame import open_page
from core.ui.run.live import launch_all, queue_panel
from core.ui.train.form import experiment_form

ICON = ":material/model_training:"
READ_ONLY = (
    "This server is read-only: settings can be checked and previewed here, but no run can be launched."
)

with open_page("Train", "Choose images and models; each model becomes a run in the queue.") as store:
    form, queue = st.columns([3, 2], gap="large")
    with form:
        groups = experiment_form(stored_datasets.dataset_infos())
        count = sum(len(group.configs) for group in groups)
        label = f"Launch {count} runs" if count > 1 else "Launch"
        if may_change():
            ask_for_spare(store.settings)
        else:
            st.info(READ_ONLY, icon=":material/visibility:")
        if action_button(label, type="primary", icon=":material/play_arrow:", disabled=not groups):
            run_ids = launch_all(groups)
            if run_ids:
                st.toast(f"{len(run_ids)} in the queue.", icon=":material/check:")
    with queue:
        queue_panel(store, narrow=True)
