"""Limits uploads: only where a page asks for a file, and by size for each visitor and all together.

Streamlit accepts a file whenever a browser sends one, and keeps it in memory until the visit ends. Here a
file is deleted with the page that asked for it, and as soon as the uploader that held it is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from starlette.exceptions import HTTPException
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

TOTAL_MB = 2048  # of all visitors together

_lock = RLock()
_visits: dict[str, Visit] = {}  # by Streamlit's id of the session


@dataclass
class Visit:
    """What one visitor may upload on the page that is open.

    Attributes:
        page: Streamlit's hash of the page.
        limit: Bytes of all its files together, 0 where it asks for none.
        held: Ids of files that its uploaders have held; a file in a form that was not submitted is in none.
        asked: The limit of the page as far as it is drawn now.
        holds: The ids of the files held by the page as far as it is drawn now.
    """

    page: str = ""
    limit: int = 0
    held: set[str] = field(default_factory=set)
    asked: int = 0
    holds: set[str] = field(default_factory=set)


def begin_page() -> None:
    """Begin to draw a page. Where it is another one than before, delete the visitor's files."""
    context = get_script_run_ctx()
    if context is None:
        return
    manager, session = context.uploaded_file_mgr, context.session_id
    _limit(manager)
    with _lock:
        visit = _visits.get(session)
        if visit is None or visit.page != context.page_script_hash:
            manager.remove_session_files(session)
            visit = _visits[session] = Visit(context.page_script_hash)
        visit.asked, visit.holds = 0, set()


def uploader(container: Any, label: str, megabytes: int, **options: Any) -> UploadedFile | None:
    """Ask for one file, with `st.file_uploader` in a container, or in `st` itself.

    megabytes: what the page's files may take together. options: further arguments of `st.file_uploader`.
    """
    _allow(megabytes)
    file = container.file_uploader(label, max_upload_size=megabytes, **options)
    _hold([] if file is None else [file])
    return file


def uploader_of_many(container: Any, label: str, megabytes: int, **options: Any) -> list[UploadedFile]:
    """Ask for any number of files, as `uploader` does for one."""
    _allow(megabytes)
    files = container.file_uploader(label, accept_multiple_files=True, max_upload_size=megabytes, **options)
    _hold(files)
    return files


def camera(container: Any, label: str, megabytes: int, **options: Any) -> UploadedFile | None:
    """Ask for a photo, with `st.camera_input` and its further arguments, as `uploader` asks for a file."""
    _allow(megabytes)
    photo = container.camera_input(label, **options)
    _hold([] if photo is None else [photo])
    return photo


def _allow(megabytes: int) -> None:
    """Let the page that is drawn take files."""
    if (visit := _visit()) is not None:
        visit.limit = visit.asked = megabytes << 20


def _hold(files: Sequence[UploadedFile]) -> None:
    """Keep files while the page is drawn with them."""
    if (visit := _visit()) is not None:
        ids = {file.file_id for file in files}
        visit.held |= ids
        visit.holds |= ids


def _visit() -> Visit | None:
    context = get_script_run_ctx()
    return None if context is None else _visits.get(context.session_id)


def end_page() -> None:
    """End the drawing of a page: delete files that no uploader holds any more."""
    context = get_script_run_ctx()
    if context is None:
        return
    manager: Any = context.uploaded_file_mgr
    session = context.session_id
    with _lock:
        visit = _visits.get(session)
        if visit is None or visit.page != context.page_script_hash:
            return
        visit.limit = visit.asked
        if not visit.asked:
            manager.remove_session_files(session)
            _visits[session] = Visit(visit.page)
            return
        for file_id in visit.held - visit.holds:
            manager.remove_file(session, file_id)
        visit.held = set(visit.holds)


def why_not(storage: dict[str, dict[str, Any]], session: str, file: Any) -> tuple[int, str] | None:
    """Return why a file is refused, as an HTTP status and a sentence; None where it is accepted.

    Args:
        storage: The files of each visit, by their ids.
    """
    visit = _visits.get(session)
    if visit is None or not visit.limit:
        return 403, "This page takes no upload."
    others = {id_: one for id_, one in storage.get(session, {}).items() if id_ != file.file_id}
    if sum(len(one.data) for one in others.values()) + len(file.data) > visit.limit:
        return 413, f"At most {visit.limit >> 20} MB may be uploaded here."
    everybody = sum(len(one.data) for files in list(storage.values()) for one in list(files.values()))
    if everybody + len(file.data) > TOTAL_MB << 20:
        return 503, "Others upload too much at the moment. Try again later."
    return None


def _limit(manager: Any) -> None:
    """Make Streamlit's store of uploads refuse files; once per server."""
    with _lock:
        if getattr(manager, "limited", False) or not hasattr(manager, "file_storage"):
            return
        manager.limited = True
    take, forget = manager.add_file, manager.remove_session_files

    def add_file(session_id: str, file: Any) -> None:
        with _lock:
            if refused := why_not(manager.file_storage, session_id, file):
                raise HTTPException(*refused)
            take(session_id, file)

    def remove_session_files(session_id: str) -> None:  # also at the end of a visit
        with _lock:
            _visits.pop(session_id, None)
            forget(session_id)

    manager.add_file, manager.remove_session_files = add_file, remove_session_files
