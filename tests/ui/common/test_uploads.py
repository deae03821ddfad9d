"""A visitor uploads where a page asks for a file, and so much; nothing else is taken or kept in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest, local_script_runner

from core.jobs import imports
from core.system.settings import Settings, get_settings
from core.ui.common import uploads
from core.ui.common.uploads import Visit
from tests.support.homes import Trained
from tests.support.pages import opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

VISIT = "test session id"  # of Streamlit's AppTest


def file(name: str, size: int) -> UploadedFileRec:
    return UploadedFileRec(name, name, "image/png", bytes(size))


def kept(manager: MemoryUploadedFileManager) -> list[str]:
    """The names of the files in memory."""
    return [one.name for files in manager.file_storage.values() for one in files.values()]


def status(act: Callable[[], None]) -> int:
    """The HTTP status with which the server refuses; 204 where it does not."""
    try:
        act()
    except HTTPException as refused:
        return refused.status_code
    return 204


@pytest.fixture(autouse=True)
def manager(monkeypatch: pytest.MonkeyPatch) -> MemoryUploadedFileManager:
    """Streamlit's store of uploads, one for all runs of the pages as on a server."""
    one = MemoryUploadedFileManager("/upload")
    monkeypatch.setattr(local_script_runner, "MemoryUploadedFileManager", lambda endpoint: one)
    monkeypatch.setattr(uploads, "_visits", {})
    return one


@pytest.mark.parametrize(("role", "expected"), [("viewer", 403), ("trainer", 204)])
def test_where_no_file_is_asked_for_none_is_taken(
    settings: Settings,
    manager: MemoryUploadedFileManager,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    expected: int,
) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", role)
    get_settings.cache_clear()
    assert not opened("pages/1_Data.py").exception  # a trainer may upload an archive there
    assert status(lambda: manager.add_file(VISIT, file("a", 9))) == expected
    assert status(lambda: manager.add_file("another", file("a", 9))) == 403


def test_what_a_visitor_uploaded_elsewhere_does_not_count_on_the_next_page(
    trained: Trained, manager: MemoryUploadedFileManager
) -> None:
    app = opened("pages/1_Data.py")
    manager.add_file(VISIT, file("photos.zip", 40 << 20))
    app.run()
    assert kept(manager) == ["photos.zip"]  # it waits in a form that was not sent
    app.query_params["source"] = "Upload"
    app.switch_page("pages/5_Predict.py").run()
    assert not kept(manager)
    assert status(lambda: manager.add_file(VISIT, file("a", (32 << 20) + 1))) == 413
    assert status(lambda: manager.add_file(VISIT, file("a", 32 << 20))) == 204
    app.switch_page("pages/6_Queue.py").run()
    assert not kept(manager)
    assert status(lambda: manager.add_file(VISIT, file("late", 1))) == 403


def test_an_image_is_forgotten_when_one_of_the_test_set_is_asked_for(
    trained: Trained, manager: MemoryUploadedFileManager
) -> None:
    app = opened("pages/5_Predict.py", source="Upload")
    photo = io.BytesIO()
    Image.new("RGB", (9, 9)).save(photo, "PNG")
    app.file_uploader[0].set_value([("photo.png", photo.getvalue(), "image/png")]).run()
    app.run()
    assert kept(manager) == ["photo.png"]
    app.button_group(key="source").set_value("Test images").run()
    assert not app.exception
    assert not kept(manager)


def test_an_archive_is_forgotten_when_its_import_has_begun(
    settings: Settings, manager: MemoryUploadedFileManager
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for number in range(8):
            image = io.BytesIO()
            Image.new("L", (9, 9), 20 * number).save(image, "PNG")
            entries.writestr(f"{'round' if number % 2 else 'square'}/{number}.png", image.getvalue())
    app = opened("pages/1_Data.py")
    send(app, archive.getvalue(), "Preview")
    assert kept(manager) == ["shapes.zip"]
    send(app, archive.getvalue(), "Import")
    assert not kept(manager)
    assert app.file_uploader[0].value is None  # it stands in the form no longer
    wait_for(lambda: all(job.state != imports.RUNNING for job in imports.jobs(settings).values()))
    (job,) = imports.jobs(settings).values()
    assert (job.state, job.message) == (imports.DONE, "8 images in 2 classes.")


def send(app: AppTest, archive: bytes, label: str) -> None:
    """Fill the form of an import and press one of its buttons."""
    (name,) = [field for field in app.text_input if field.label == "Name of the dataset"]
    name.set_value("shapes")
    app.file_uploader[0].set_value(("shapes.zip", archive, "application/zip"))
    (button,) = [one for one in app.button if one.label == label]
    button.click().run()
    assert not app.exception
    assert not app.error


def test_a_visit_that_ends_is_forgotten(settings: Settings, manager: MemoryUploadedFileManager) -> None:
    opened("pages/1_Data.py")
    assert list(uploads._visits) == [VISIT]
    manager.remove_session_files(VISIT)  # as Streamlit does then
    assert not uploads._visits


def test_uploads_are_bounded_for_each_visitor_and_for_all(
    manager: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "TOTAL_MB", 5)
    uploads._limit(manager)
    uploads._limit(manager)
    for visit in "abc":
        uploads._visits[visit] = Visit(limit=2 << 20)
    manager.add_file(session_id="a", file=file("one", 1 << 20))
    manager.add_file(session_id="a", file=file("two", 1 << 20))
    manager.add_file(session_id="a", file=file("two", 1 << 20))  # in the place of the one before
    assert status(lambda: manager.add_file(session_id="a", file=file("three", 1))) == 413
    manager.add_file(session_id="b", file=file("one", 2 << 20))
    assert status(lambda: manager.add_file(session_id="c", file=file("one", 2 << 20))) == 503
    manager.remove_session_files("a")
    manager.add_file(session_id="c", file=file("one", 2 << 20))
