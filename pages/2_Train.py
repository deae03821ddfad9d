"""Train: one form, one run in the queue for each chosen model."""

import streamlit as st

from core.jobs.executors.spare import ask_for_spare
from core.ui.common import stored_datasets, words
from core.ui.common.actions import may_change
from core.ui.common.frame import open_page
from core.ui.run.launched import launched_ids, launched_link, launched_panel, remember
from core.ui.run.live import launch_all, queue_panel
from core.ui.train.door import renew_door
from core.ui.train.form import experiment_form
from core.ui.train.launch_bar import launch_button, launch_words

ICON = ":material/model_training:"
READ_ONLY = (
    "This server is read-only: settings can be checked and previewed here, but no run can be launched."
)

with open_page("Train", "Choose images and models; each model becomes a run in the queue.") as store:
    form, queue = st.columns([5, 3], gap="medium")
    with form:
        groups = experiment_form(stored_datasets.dataset_infos())
        if may_change():
            ask_for_spare(store.settings)
            bar = st.bottom.container(horizontal=True, vertical_alignment="center")
            if launch_button(bar, groups) and (run_ids := launch_all(groups)):
                remember(run_ids)
                st.toast(f"{len(run_ids)} in the queue.", icon=":material/check:")
            launched_link(bar)
            bar.caption(words.plain(launch_words(groups)))
        else:
            st.info(READ_ONLY, icon=":material/visibility:")
    with queue:
        launched_panel(store)
        queue_panel(store, narrow=True, without=launched_ids())
    renew_door(groups)
