"""What visitors may upload: only where a page asks for a file, and so much for each and for all together.

Streamlit holds uploads in memory and takes one whenever a browser sends it.
"""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import Any

from starlette.exceptions import HTTPException
from streamlit.runtime.scriptrunner import get_script_run_ctx

TOTAL_MB = 2048  # of all visitors together
GRACE_S = 30.0  # after a page that asked for a file is drawn anew: the browser may be sending it

_lock = Lock()
_open: dict[str, tuple[float, int]] = {}  # by visit: until when uploads are taken, and how many bytes


def close_uploads() -> None:
    """A page begins: its visitor may upload nothing, unless the page asks for a file."""
    context = get_script_run_ctx()
    if context is None:
        return
    _limit(context.uploaded_file_mgr)
    with _lock:
        if context.session_id in _open:
            until, limit = _open[context.session_id]
            _open[context.session_id] = min(until, time.monotonic() + GRACE_S), limit
        for session in [one for one, (until, _) in _open.items() if until < time.monotonic()]:
            del _open[session]


def open_uploads(megabytes: int) -> None:
    """The page asks for a file: its visitor may upload so much, all files together."""
    context = get_script_run_ctx()
    if context is not None:
        with _lock:
            _open[context.session_id] = math.inf, megabytes << 20


def why_not(storage: dict[str, dict[str, Any]], session: str, file: Any) -> tuple[int, str] | None:
    """Why a file is not taken, as an HTTP status and a sentence; None where it is.

    storage: the files of each visit, by their ids.
    """
    with _lock:
        until, limit = _open.get(session, (-math.inf, 0))
    if until < time.monotonic():
        return 403, "Nothing is to be uploaded here."
    others = {id_: one for id_, one in storage.get(session, {}).items() if id_ != file.file_id}
    if sum(len(one.data) for one in others.values()) + len(file.data) > limit:
        return 413, f"At most {limit >> 20} MB may be uploaded here."
    everybody = sum(len(one.data) for files in list(storage.values()) for one in list(files.values()))
    if everybody + len(file.data) > TOTAL_MB << 20:
        return 503, "Others upload too much at the moment. Try again later."
    return None


def _limit(manager: Any) -> None:
    """Have Streamlit's store of uploads refuse files; once for a server."""
    with _lock:
        if getattr(manager, "limited", False) or not hasattr(manager, "file_storage"):
            return
        manager.limited = True
    take = manager.add_file

    def add_file(session_id: str, file: Any) -> None:
        if refused := why_not(manager.file_storage, session_id, file):
            raise HTTPException(*refused)
        take(session_id, file)

    manager.add_file = add_file
