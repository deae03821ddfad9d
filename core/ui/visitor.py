"""Who looks at the page that is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

LEFT_S = 10.0  # a connection that is lost for a moment comes back


def visitor_has_left() -> Callable[[], bool]:
    """Make a question to be asked while a page waits, also from another thread: has its visitor left?

    Yes once the browser has had no connection for some seconds.
    """
    context = get_script_run_ctx()
    if context is None or not runtime.exists():  # no server: a test
        return lambda: False
    session, since = context.session_id, time.monotonic()

    def left() -> bool:
        nonlocal since
        if runtime.get_instance().is_active_session(session):
            since = time.monotonic()
        return time.monotonic() - since > LEFT_S

    return left
