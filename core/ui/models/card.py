"""The card of a version: as its run gives it, or as a person has edited it."""

from __future__ import annotations

import re
from datetime import datetime

import streamlit as st

from core.exporting.card import card_of
from core.system.settings import Settings, get_settings
from core.tracking import registry
from core.tracking.registered import CARD, Version
from core.tracking.store import RunStore, get_store
from core.ui.common import stored_runs
from core.ui.common.actions import attempt, may_change

HEADING = re.compile(r"^(#{1,3}) ", re.M)  # those of a card stand below those of the page


def card(store: RunStore, version: Version) -> None:
    """Draw the card, and for those who may change it the form that edits it."""
    edited = version.tags.get(CARD)
    run = stored_runs.find(version.run_id) if version.run_id else None
    if run is None and edited is None:
        return
    text = (
        edited
        if edited is not None
        else _written(get_settings(), version.run_id, None if run is None else run.ended)
    )
    key = f"{version.name}-{version.number}"
    with st.expander("Card", icon=":material/badge:", expanded=True):
        # A card is Markdown; its images could be of other servers, which would see who looks at it.
        # A backslash does not do: one that stands there already would escape it.
        st.markdown(HEADING.sub(r"###\1 ", text.replace("![", "&#33;[")))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Download the card", text, "CARD.md", "text/markdown", icon=":material/download:",
                on_click="ignore", key=f"download-card-{key}",
            )  # fmt: skip
            if may_change():
                _edit(store, version, text, run is not None)


def _edit(store: RunStore, version: Version, text: str, can_be_written: bool) -> None:
    key = f"{version.name}-{version.number}"
    with (
        st.popover("Edit the card", icon=":material/edit:", width="content"),
        st.form(f"card {key}", border=False),
    ):
        changed = st.text_area("Card (Markdown)", text, height=420, key=f"card-{key}")
        if st.form_submit_button("Save the card", type="primary", key=f"save-card-{key}"):
            attempt(lambda: registry.write_card(store, version, changed), "Saved.")
    if CARD in version.tags and can_be_written:
        st.caption("Edited by hand.")
        if st.button("Write it anew from the run", key=f"anew-{key}", icon=":material/restart_alt:"):
            attempt(lambda: registry.write_card(store, version, None), "It is written from the run again.")


@st.cache_data(max_entries=64, show_spinner=False)
def _written(_settings: Settings, run_id: str, ended: datetime | None) -> str:
    return card_of(get_store(), run_id)
