"""The frame of every page: title, navigation, state of queue and device, role."""

from __future__ import annotations

import streamlit as st

from core.inference.client import ensure_inference
from core.jobs import devices
from core.jobs.worker import ensure_worker
from core.settings import SettingsError, get_settings
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from core.ui import reads

PAGES = (
    ("streamlit_app.py", "Overview", ":material/space_dashboard:"),
    ("pages/1_Data.py", "Data", ":material/photo_library:"),
    ("pages/2_Train.py", "Train", ":material/model_training:"),
    ("pages/3_Compare.py", "Compare", ":material/query_stats:"),
    ("pages/4_Run.py", "Run", ":material/monitoring:"),
    ("pages/5_Predict.py", "Predict", ":material/image_search:"),
)
LIVE_S = 2.0


def open_page(title: str, subtitle: str) -> RunStore:
    """Draw the frame and return the store; a page calls this first.

    Sees to it that a worker and the prediction process run. When nothing can be written the page ends here
    with a sentence.
    """
    st.set_page_config(page_title=f"{title} · ArchLab", page_icon=":material/grid_view:", layout="wide")
    try:
        settings = get_settings()
        settings.check_writable()
        store = get_store()
        ensure_worker(settings)
        ensure_inference(settings)
    except SettingsError as error:
        st.title(title)
        st.error(str(error), icon=":material/error:")
        st.stop()
    with st.sidebar:
        st.markdown("### ArchLab")
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon, width="stretch")
        st.divider()
        _machine_state()
        if settings.role != "trainer":
            st.badge("read-only", icon=":material/visibility:", color="gray")
    st.title(title)
    st.caption(subtitle)
    return store


@st.fragment(run_every=LIVE_S)
def _machine_state() -> None:
    """What runs and what waits, and how busy the machine is; renews itself."""
    states = reads.runs()["status"]
    running, waiting = int((states == schema.RUNNING).sum()), int((states == schema.SCHEDULED).sum())
    with st.container(horizontal=True, gap="small"):
        st.badge(f"{running} running", color="blue" if running else "gray")
        st.badge(f"{waiting} queued", color="orange" if waiting else "gray")
    for part in devices.summary().split(" · "):
        st.caption(part)
