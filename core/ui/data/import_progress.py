"""Show the running and ended imports."""

from __future__ import annotations

import streamlit as st

from core.jobs import imports
from core.system.settings import Settings
from core.system.units import duration
from core.ui.common import guard, words

LIVE_S = 1.0


@guard.fragment(run_every=LIVE_S)
def import_progress(settings: Settings) -> None:
    jobs = imports.jobs(settings)
    running = {job_id for job_id, job in jobs.items() if job.state == imports.RUNNING}
    before = st.session_state.get("imports-running", set())
    st.session_state["imports-running"] = running
    if before - running:
        st.rerun()  # the list of datasets has changed
    for job_id, job in jobs.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            if job.state == imports.RUNNING:
                _progress(job)
                if st.button("Cancel", key=f"cancel-{job_id}", icon=":material/stop_circle:"):
                    imports.cancel(settings, job_id)
                continue
            show = {imports.DONE: st.success, imports.CANCELLED: st.info}.get(job.state, st.error)
            show(f"{words.plain(job.name)}: {words.plain(job.message)}")
            if st.button("Dismiss", key=f"dismiss-{job_id}", icon=":material/close:"):
                imports.dismiss(settings, job_id)
                st.rerun(scope="fragment")


def _progress(job: imports.ImportJob) -> None:
    name = words.plain(job.name)
    if not job.path:
        st.progress(0.0, text=f"preparing {name}: downloading, or reading what Keras keeps")
        return
    share = job.done / job.total if job.total else 0.0
    left = f" · {duration(job.remaining_s)} left" if job.done else ""
    st.progress(share, text=f"importing {name}: {job.done:,} of {job.total:,} images{left}")
