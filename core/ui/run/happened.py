"""What happened in a run, in sentences, each with a link to the Train form that may mend it."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import streamlit as st

from core.analysis import health, losses
from core.analysis.run_story import Finding, Story
from core.analysis.what_happened import what_happened
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore
from core.ui.common import stored_predictions, stored_runs, words
from core.ui.common.actions import may_change
from core.ui.train.form_url import query

ALIKE = ("model.name", schema.FINGERPRINT)  # settings that like runs share
# What is read of each run to find those like it.
KEYS = (
    *ALIKE,
    schema.DEVICE,
    "optimizer.learning_rate",
    "images_per_second",
    *(name.partition(".")[2] for name in health.COLUMNS if "." in name),
)


def happened(store: RunStore, run: Run) -> None:
    """Draw what happened: first what went wrong, since figures of a diverged run look like any other's."""
    if (note := losses.sentence(run)) is not None:
        st.caption(f":material/info: {note}")
    found = what_happened(_story(store, run))
    if not found:
        return
    st.markdown("**What happened here**")
    for one in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            if one.alarm:
                st.warning(words.plain(one.sentence), icon=":material/warning:")
            else:
                st.caption(f":material/info: {words.plain(one.sentence)}")
            if one.again and run.is_ours and may_change():
                _again(store, run, one)


def _again(store: RunStore, run: Run, found: Finding) -> None:
    """Draw the link to the form with the settings of the run, and what may mend it."""
    with suppress(FileNotFoundError, ValueError):  # its files are gone or damaged, or the settings do not fit
        config = store.config(run.run_id).with_values(found.changes)
        st.page_link(
            "pages/2_Train.py",
            label=found.again,
            icon=":material/replay:",
            query_params=query(config, stored_runs.columns()),
        )


def _story(store: RunStore, run: Run) -> Story:
    predictions: pd.DataFrame | None = None
    classes: list[str] = []
    if run.status == schema.FINISHED:
        with suppress(FileNotFoundError, DamagedArtifact):
            predictions = stored_predictions.predictions(run)
            classes = store.read_json(run.run_id, schema.DATA, ("classes",))["classes"]
    return Story(run, stored_runs.history([run.run_id]), likes_of(run), predictions, classes)


def likes_of(run: Run) -> list[Run]:
    """Return the other finished runs of the same model, dataset and kind of device, newest first."""
    if not all(run.params.get(name) for name in ALIKE):
        return []
    every = stored_runs.columns(*KEYS)
    same = (every["status"] == schema.FINISHED) & (every["run_id"] != run.run_id)
    for name in ALIKE:
        same &= every[f"params.{name}"] == run.params[name]
    return [one for one in runs_of(every[same]) if (one.device == "cpu") == (run.device == "cpu")]
