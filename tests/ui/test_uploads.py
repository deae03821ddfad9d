"""A visitor uploads where a page asks for a file, and so much; nothing else is taken."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from core.settings import Settings, get_settings
from core.ui import uploads
from tests.conftest import Trained
from tests.ui.test_pages import opened

VISIT = "test session id"  # of Streamlit's AppTest


def file(name: str, size: int) -> UploadedFileRec:
    return UploadedFileRec(name, name, "image/png", bytes(size))


@pytest.fixture(autouse=True)
def nobody_uploads() -> None:
    uploads._open.clear()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("trainer", None)])
def test_where_no_file_is_asked_for_none_is_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, role: str, status: int | None
) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", role)
    get_settings.cache_clear()
    assert not opened("pages/1_Data.py").exception  # a trainer may upload an archive there
    refused = uploads.why_not({}, VISIT, file("a", 9))
    assert (refused and refused[0]) == status
    assert uploads.why_not({}, "another", file("a", 9)) == (403, "Nothing is to be uploaded here.")


def test_the_demo_takes_images_of_some_megabytes(trained: Trained) -> None:
    assert not opened("pages/5_Predict.py", run=trained.run_id).exception
    assert uploads.why_not({}, VISIT, file("a", 32 << 20)) is None
    refused = uploads.why_not({}, VISIT, file("a", (32 << 20) + 1))
    assert refused == (413, "At most 32 MB may be uploaded here.")


def test_uploads_are_bounded_for_each_visitor_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TOTAL_MB", 5)
    manager = MemoryUploadedFileManager("/upload")
    uploads._limit(manager)
    uploads._limit(manager)
    for visit in "abc":
        uploads._open[visit] = float("inf"), 2 << 20
    manager.add_file(session_id="a", file=file("one", 1 << 20))
    manager.add_file(session_id="a", file=file("two", 1 << 20))
    manager.add_file(session_id="a", file=file("two", 1 << 20))  # in the place of the one before
    with pytest.raises(HTTPException) as refused:
        manager.add_file(session_id="a", file=file("three", 1))
    assert refused.value.status_code == 413
    manager.add_file(session_id="b", file=file("one", 2 << 20))
    with pytest.raises(HTTPException) as refused:
        manager.add_file(session_id="c", file=file("one", 2 << 20))
    assert refused.value.status_code == 503
    manager.remove_session_files("a")
    manager.add_file(session_id="c", file=file("one", 2 << 20))
