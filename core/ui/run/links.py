"""Where to go from a finished run: Compare, Predict, its like; its model as a file, and its registration."""

from __future__ import annotations

import streamlit as st

from core.tracking import schema
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import stored_runs
from core.ui.common.register import registration

MOST = 12  # runs that a link ticks


def links(store: RunStore, run: Run) -> None:
    """Draw links to the pages that show more of a finished run, and the download of its model."""
    alike = on_same_images(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not run.archived:
            _comparisons(run, alike)
        if not run.is_ours or run.is_range_test:
            return
        if not run.archived:
            st.page_link(
                "pages/5_Predict.py",
                label="Predict",
                icon=":material/image_search:",
                query_params={"run": run.run_id},
            )
        st.download_button(
            "Download the model",
            lambda: store.models.file(run.run_id).read_bytes(),
            file_name=f"{run.run_id[:8]}.keras",
            icon=":material/download:",
            on_click="ignore",
            key=f"model-{run.run_id}",
        )
        registration(store, run)


def _comparisons(run: Run, alike: list[str]) -> None:
    st.page_link(
        "pages/3_Compare.py", label="Compare", icon=":material/query_stats:",
        query_params=[("runs", run.run_id)],
    )  # fmt: skip
    if alike:
        st.page_link(
            "pages/3_Compare.py",
            label=f"Compare with {len(alike)} on the same images",
            icon=":material/stacked_line_chart:",
            query_params=[("runs", run_id) for run_id in (run.run_id, *alike)],
        )


def on_same_images(run: Run, most: int = MOST) -> list[str]:
    """Return the ids of the newest other finished runs that were validated and tested on the same images."""
    tested = run.params.get(schema.EVALUATION) or run.params.get(schema.SPLIT)
    if not tested:
        return []
    keys = (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)
    every = stored_runs.columns(*keys)
    every = every[(every["status"] == schema.FINISHED) & (every["run_id"] != run.run_id)]
    name = schema.EVALUATION if schema.EVALUATION in run.params else schema.SPLIT
    for key, value in ((schema.FINGERPRINT, run.params.get(schema.FINGERPRINT)), (name, tested)):
        if f"params.{key}" not in every:
            return []
        every = every[every[f"params.{key}"] == value]
    return every["run_id"].head(most).tolist()
