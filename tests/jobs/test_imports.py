"""Imports that a page starts go on without it, tell how far they are, and clean up after themselves."""

from __future__ import annotations

import os
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.jobs import imports
from core.system import settings as settings_module
from core.system.settings import NotAllowed, Settings
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip of two classes of forty images each."""
    path = tmp_path / "shapes.zip"
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as file:
        for name in ("round", "square"):
            for number in range(40):
                image = tmp_path / "image.png"
                Image.fromarray(generator.integers(0, 256, (20, 20, 3), dtype="uint8")).save(image)
                file.write(image, f"{name}/{number}.png")
    return path


def finished(settings: Settings) -> imports.ImportJob:
    def states() -> list[str]:
        return [job.state for job in imports.jobs(settings).values()]

    wait_for(lambda: imports.RUNNING not in states())
    (job,) = imports.jobs(settings).values()
    return job


def test_an_uploaded_archive_is_imported_and_removed(settings: Settings, archive: Path) -> None:
    upload = imports.uploads(settings) / "upload.zip"
    archive.rename(upload)
    imports.start(settings, "shapes", upload, True, {"test_fraction": 0.25})
    job = finished(settings)
    assert (job.state, job.message) == (imports.DONE, "80 images in 2 classes.")
    assert datasets.info("shapes").counts["test"] == (10, 10)
    assert not upload.exists()
    (job_id,) = imports.jobs(settings)
    imports.dismiss(settings, job_id)
    assert imports.jobs(settings) == {}


def test_a_persons_own_archive_is_never_removed(settings: Settings, archive: Path) -> None:
    imports.start(settings, "shapes", archive, False, {})
    assert finished(settings).state == imports.DONE
    assert archive.exists()


def test_a_refusal_is_told_in_its_words(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    imports.start(settings, "nothing", tmp_path / "empty", False, {})
    job = finished(settings)
    assert job.state == imports.REFUSED
    assert "\n" not in job.message
    assert "nothing" not in datasets.names()


def test_a_killed_import_is_said_and_can_be_repeated(settings: Settings, archive: Path) -> None:
    imports.start(settings, "shapes", archive, False, {})
    (job_id,) = imports.jobs(settings)
    owner = (settings.home / "imports" / f"{job_id}.owner").read_text()
    os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGKILL)
    job = finished(settings)
    assert job.state == imports.REFUSED
    assert "ended from outside" in job.message
    imports.dismiss(settings, job_id)
    imports.start(settings, "shapes", archive, False, {})
    assert finished(settings).state == imports.DONE


def test_a_viewer_may_not_import(settings: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    with pytest.raises(NotAllowed):
        imports.start(settings_module.get_settings(), "shapes", archive, False, {})
    assert imports.jobs(settings) == {}
