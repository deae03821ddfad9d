"""Archiving runs and restoring them, and which runs the Run page offers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.jobs import archive
from core.tracking import schema
from core.tracking.store import RunStore
from core.ui.common import stored_runs, words
from core.ui.common.actions import attempt

HELP = "Archived runs keep all their files. No list, ranking or comparison has them until they are restored."


def archive_button(store: RunStore, label: str, run_ids: Sequence[str]) -> None:
    """Draw the button that archives some runs; they are not ticked any more."""

    def act() -> None:
        archive.archive(store, run_ids)
        if "runs" in st.query_params:
            ticked = st.query_params.get_all("runs")
            st.query_params["runs"] = [key for key in ticked if key.removeprefix("group-") not in run_ids]

    if st.button(label, key=f"archive-{hash(tuple(run_ids))}", icon=":material/archive:", help=HELP):
        attempt(act, f"Archived {words.count(run_ids)}.")


def restore_button(store: RunStore, label: str, run_ids: Sequence[str]) -> None:
    """Draw the button that puts archived runs back into lists and comparisons."""
    if st.button(label, key=f"restore-{hash(tuple(run_ids))}", icon=":material/unarchive:"):
        attempt(lambda: archive.restore(store, run_ids), f"Restored {words.count(run_ids)}.")


def choosable() -> pd.DataFrame:
    """Return the runs that the Run page offers: an archived one only where the address names it."""
    runs = stored_runs.columns(schema.NUMBER, schema.ARCHIVED, archived=True)
    tag = f"tags.{schema.ARCHIVED}"
    if tag not in runs:
        return runs
    return runs[runs[tag].isna() | (runs["run_id"] == st.query_params.get("run"))]
