"""The visitor of the page that is drawn."""

from __future__ import annotations

import time

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.inference.background import Latest
from core.inference.client import Caller
from core.system.settings import get_settings

LEFT_S = 10.0  # seconds: a connection that is lost for a moment comes back
LATEST = "described"  # session key of the descriptions made in the background


def visitor() -> Caller:
    """Return the visitor of this page, as a caller of the prediction process.

    The visitor has left once the browser has had no connection for some seconds. A request of a page ends at
    once when its visitor opens another page, or changes something on it.
    """
    context = get_script_run_ctx()
    if context is None or not runtime.exists():  # no server: a test
        return Caller()
    session, since = context.session_id, time.monotonic()

    def has_left() -> bool:
        nonlocal since
        if get_script_run_ctx(suppress_warning=True) is context:  # the page waits, and not a thread of it
            st.session_state.get(LATEST)  # Streamlit stops the script here where another run of it is wanted
        # Without a server nobody can have left: a test, between two runs of its page.
        if not runtime.exists() or runtime.get_instance().is_active_session(session):
            since = time.monotonic()
        return time.monotonic() - since > LEFT_S

    return Caller(session, has_left)


def latest() -> Latest:
    """Return the models that this visitor has described in the background."""
    if LATEST not in st.session_state:
        st.session_state[LATEST] = Latest(get_settings(), visitor())
    return st.session_state[LATEST]
