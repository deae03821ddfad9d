"""One version: its aliases and description, where it comes from, and what changes it."""

from __future__ import annotations

import streamlit as st

from core.tracking import registry
from core.tracking.registered import ALIASES, CHALLENGER, CHAMPION, Registered, Version
from core.tracking.store import RunStore
from core.ui.common import stored_runs, words
from core.ui.common.actions import attempt, may_change

COLOURS = {CHAMPION: "green", CHALLENGER: "orange"}
NOT_HERE = "The run of this version is not in this store: it has no card, no comparison and no files here."


def head(store: RunStore, model: Registered, version: Version) -> None:
    """Draw what a version is, and the buttons that change it."""
    st.subheader(words.plain(version.title))
    if version.aliases:
        with st.container(horizontal=True, gap="small"):
            for alias in version.aliases:
                st.badge(words.plain(alias), color=COLOURS.get(alias, "gray"))  # type: ignore[arg-type]
    if version.description:
        st.markdown(words.plain(version.description))
    run = stored_runs.find(version.run_id) if version.run_id else None
    if run is None:
        st.warning(NOT_HERE, icon=":material/link_off:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if run is not None:
            for page, label, icon in (
                ("pages/4_Run.py", "Its run", ":material/monitoring:"),
                ("pages/5_Predict.py", "Predict", ":material/image_search:"),
            ):
                st.page_link(page, label=label, icon=icon, query_params={"run": run.run_id})
        if may_change():
            _change(store, version)
            _unregister(store, model, version)


def _change(store: RunStore, version: Version) -> None:
    key = f"{version.name}-{version.number}"
    with st.popover("Edit", icon=":material/edit:"), st.form(f"edit {key}", border=False):
        text = st.text_area("Description", version.description, key=f"description-{key}")
        if st.form_submit_button("Save", type="primary", key=f"save-{key}"):
            attempt(lambda: registry.describe(store, version, text), "Saved.")
    if CHALLENGER in version.aliases:
        if st.button("No longer challenger", key=f"no-challenger-{key}", icon=":material/flag:"):
            attempt(
                lambda: registry.remove_alias(store, version, CHALLENGER), "It is no challenger any more."
            )
    elif CHAMPION not in version.aliases and st.button(
        "Make it challenger", key=f"challenger-{key}", icon=":material/flag:"
    ):
        attempt(lambda: registry.set_alias(store, version, CHALLENGER), "It is the challenger now.")


def _unregister(store: RunStore, model: Registered, version: Version) -> None:
    with st.popover("Unregister", icon=":material/delete:"):
        own = [alias for alias in version.aliases if alias in ALIASES]
        lost = f" {' and '.join(own).capitalize()} will then be nobody." if own else ""
        last = " The name goes with its last version." if len(model.versions) == 1 else ""
        st.markdown(
            f"Unregister **{words.plain(version.title)}**?{lost}{last} Its run and the run's model stay."
        )
        if st.button("Unregister it", key=f"unregister-{version.name}-{version.number}", type="primary"):
            attempt(lambda: registry.unregister(store, version), "Unregistered.")
