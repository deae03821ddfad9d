"""Buttons that change something, which a read-only server does not show.

The role is checked again where the action happens, whatever is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.system.settings import get_settings
from core.ui.common import guard, reads


def may_change() -> bool:
    """Whether visitors of this server may launch, cancel, import, edit and delete."""
    return get_settings().role == "trainer"


def train_first(sentence: str) -> None:
    """Say that there is no run yet, with a link to the Train page for those who may start one."""
    if not may_change():
        st.info(f"{sentence}.", icon=":material/info:")
        return
    st.info(f"{sentence}: start one on the Train page.", icon=":material/info:")
    st.page_link("pages/2_Train.py", label="Go to Train", icon=":material/model_training:")


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
        reads.forget_runs()
        st.rerun()
