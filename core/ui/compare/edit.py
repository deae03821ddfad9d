"""Editing what people say about a ticked run: its name, tags, note and pin."""

from __future__ import annotations

import streamlit as st

from core.tracking import annotation
from core.tracking.annotation import Annotation
from core.tracking.run import runs_of
from core.tracking.store import get_store
from core.ui.common import reads
from core.ui.common.actions import may_change
from core.ui.run.actions import attempt


def edit(run_id: str) -> None:
    """Draw the menu that changes a run; none on a read-only server, nor for a run of another program."""
    run = next(iter(runs_of(reads.rows([run_id]))), None)
    if run is None or not run.is_ours or not may_change():
        return
    said = annotation.annotation_of(run)
    with st.popover("Edit", icon=":material/edit:"), st.form(f"edit {run_id}", border=False):
        name = st.text_input("Name", said.name)
        tags = st.text_input(
            "Tags", annotation.write_tags(said.tags), placeholder="baseline, team: vision", help=TAGS_HELP
        )
        note = st.text_area("Note", said.note)
        pinned = st.toggle("Pinned to the top of the table", said.pinned)
        if st.form_submit_button("Save", type="primary"):
            attempt(
                lambda: annotation.annotate(
                    get_store(), run_id, Annotation(name, annotation.parse_tags(tags), note, pinned)
                ),
                "Saved.",
            )


TAGS_HELP = "With commas between. The filter finds them: `tag:baseline`, `tag:team = vision`."
