"""Editing what people say about a run: its name, tags, note and pin."""

from __future__ import annotations

import streamlit as st

from core.tracking import annotation
from core.tracking.annotation import Annotation
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import words
from core.ui.common.actions import attempt, may_change


def edit(run: Run) -> None:
    """Draw the menu that changes a run; none on a read-only server, nor for a run of another program."""
    if not run.is_ours or not may_change():
        return
    run_id = run.run_id
    shown, save = f"shown to edit {run_id}", f"save {run_id}"
    if shown not in st.session_state or not st.session_state.get(save):
        st.session_state[shown] = annotation.annotation_of(run)
    said: Annotation = st.session_state[shown]  # in the run of a click on Save, what the form had
    with st.popover("Edit", icon=":material/edit:"), st.form(f"edit {run_id}", border=False):
        name = st.text_input("Name", said.name)
        tags = st.text_input(
            "Tags", annotation.write_tags(said.tags), placeholder="baseline, team: vision", help=TAGS_HELP
        )
        note = st.text_area("Note", said.note)
        pinned = st.toggle("Pinned to the top of the table", said.pinned)
        if st.form_submit_button("Save", type="primary", key=save):
            attempt(
                lambda: annotation.annotate(
                    get_store(), run_id, Annotation(name, annotation.parse_tags(tags), note, pinned), said
                ),
                "Saved.",
            )


def said_of(run: Run) -> None:
    """Draw the tags and the note that people gave a run."""
    said = annotation.annotation_of(run)
    if said.tags or said.pinned:
        with st.container(horizontal=True, gap="small"):
            if said.pinned:
                st.badge("pinned", icon=":material/keep:", color="gray")
            for name, value in said.tags.items():
                told = f"{name}: {value}" if value else name
                st.badge(words.plain(told), icon=":material/sell:", color="gray")
    if said.note:
        st.markdown(words.plain(said.note))


TAGS_HELP = (
    "With commas between; a value that has a comma stands in quotation marks. The filter finds them: "
    "`tag:baseline`, `tag:team = vision`."
)
