"""Registering the model of a run: the form, and where a run is registered already."""

from __future__ import annotations

import streamlit as st

from core.tracking import registry
from core.tracking.registered import Version
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import words
from core.ui.common.actions import attempt, may_change


def registration(store: RunStore, run: Run) -> None:
    """Draw links to the registered versions that a run made, and the button that registers it."""
    models = store.read.registered()
    for model in models:
        for version in model.versions:
            if version.run_id == run.run_id:
                _link(version)
    if may_change() and not run.archived:
        with st.popover("Register", icon=":material/deployed_code:"):
            register_form(store, run, [model.name for model in models])


def register_form(store: RunStore, run: Run, names: list[str] | None = None) -> None:
    """Draw the form that registers the model of a run. names: of the registered models."""
    with st.form(f"register {run.run_id}", border=False):
        name = (
            st.selectbox(
                "Name of the model",
                names or [],
                index=None,
                accept_new_options=True,
                placeholder="A new name, or one that exists",
                key=f"name-{run.run_id}",
            )
            if names
            else st.text_input("Name of the model", run.dataset or "", key=f"name-{run.run_id}")
        )
        description = st.text_input("What this version is", key=f"description-{run.run_id}")
        if st.form_submit_button("Register", type="primary", key=f"register-{run.run_id}"):
            attempt(
                lambda: registry.register(store, run.run_id, name or "", description),
                "The model is registered.",
            )


def _link(version: Version) -> None:
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    st.page_link(
        "pages/8_Models.py",
        label=words.plain(f"{version.title}{aliases}"),
        icon=":material/deployed_code:",
        query_params={"model": version.name, "version": str(version.number)},
    )
