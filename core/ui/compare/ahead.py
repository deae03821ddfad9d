"""Prepares the Compare page while another one is looked at: its modules, and the columns of a large store."""

from __future__ import annotations

from threading import Thread

import streamlit as st

from core.system.settings import Settings, get_settings


def prepare() -> None:
    """Start to prepare the Compare page in threads, once for this server.

    Its modules take a second to import. Nothing waits for the threads: what they have not done when the page
    is opened, the page does.
    """
    _prepared(get_settings())


@st.cache_resource(max_entries=2, show_spinner=False)
def _prepared(settings: Settings) -> None:
    from core.ui.compare import stars

    stars.begin_ahead()
    Thread(target=_import_page, name="import compare", daemon=True).start()


def _import_page() -> None:
    from core.ui.compare import charts, runs_table, verdict  # noqa: F401
