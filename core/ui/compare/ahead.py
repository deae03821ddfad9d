"""Prepares the Compare page while another one is looked at: its modules, and the columns of a large store."""

from __future__ import annotations

from threading import Thread

import streamlit as st

from core.system.settings import Settings, get_settings


def prepare() -> None:
    """Start to prepare the Compare page in a thread, once for this server.

    Its modules take a second to import. Nothing waits for the thread: what it has not read when the page is
    opened, the page reads.
    """
    _prepared(get_settings())


@st.cache_resource(max_entries=2, show_spinner=False)
def _prepared(settings: Settings) -> Thread:
    thread = Thread(target=_prepare, name="prepare compare", daemon=True)
    thread.start()
    return thread


def _prepare() -> None:
    from core.ui.compare import charts, runs_table, stars, verdict  # noqa: F401

    stars.begin_ahead()
