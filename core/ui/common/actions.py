"""Buttons that change something, which a read-only server does not show.

The role is checked again where the action happens, whatever is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.system.settings import get_settings
from core.ui.common import guard, stored_runs


def may_change() -> bool:
    """Whether visitors of this server may launch, cancel, import, edit and delete."""
    return get_settings().role == "trainer"


def train_first(sentence: str) -> None:
    """Say that there is no run yet, with a link to the Train page for those who may start one.

    Where all runs are archived it says that instead.
    """
    if stored_runs.columns().empty and not stored_runs.columns(archived=True).empty:
        all_archived()
        return
    if not may_change():
        st.info(f"{sentence}.", icon=":material/info:")
        return
    st.info(f"{sentence}: start one on the Train page.", icon=":material/info:")
    st.page_link("pages/2_Train.py", label="Go to Train", icon=":material/model_training:")


def all_archived(show: Callable[[], None] | None = None) -> None:
    """Say that every run is archived, with a button that shows them.

    Args:
        show: Called by the button; by default it is a link to the Compare page that shows them.
    """
    count = len(stored_runs.columns(archived=True))
    said = "The only run is archived." if count == 1 else f"All {count:,} runs are archived."
    st.info(f"{said} Archived runs keep all their files and can be restored.", icon=":material/archive:")
    if show is not None:
        st.button("Show archived", key="show archived", icon=":material/visibility:", on_click=show)
        return
    st.page_link(
        "pages/3_Compare.py",
        label="Show archived",
        icon=":material/visibility:",
        query_params={"archived": "true"},
    )


def action_button(label: str, place: Any = st, **options: Any) -> bool:
    """Draw a button whose click changes something, and return whether it was clicked.

    Args:
        place: The column or container that it is drawn in.
        options: Those of `st.button`.
    """
    return may_change() and place.button(label, **options)


def attempt(action: Callable[[], object], done: str) -> None:
    """Act on runs and say that it is done, or why it was refused."""
    with guard.show_errors():
        action()
        st.toast(done, icon=":material/check:")
        stored_runs.forget_runs()
        st.rerun()
