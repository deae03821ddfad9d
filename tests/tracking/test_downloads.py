"""What is downloaded from a store elsewhere is downloaded once, and takes bounded room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.tracking.downloads import kept


def test_an_artifact_is_downloaded_once_unless_it_may_have_changed(tmp_path: Path) -> None:
    made = []

    def download(folder: Path) -> Path:
        made.append(folder)
        (folder / "model.keras").write_text(str(len(made)))
        return folder / "model.keras"

    first = kept(tmp_path, "run", "data/model.keras", download)
    assert kept(tmp_path, "run", "data/model.keras", download) == first
    assert (first.read_text(), len(made)) == ("1", 1)
    assert kept(tmp_path, "run", "data/model.keras", download, renew=True).read_text() == "2"
    assert not any(folder.exists() for folder in made)  # nothing temporary stays


def test_what_was_not_asked_for_longest_goes_first(tmp_path: Path) -> None:
    def download(folder: Path) -> Path:
        (folder / "file").write_bytes(b"x" * 40)
        return folder / "file"

    for age, owner in enumerate(("c", "b", "a")):
        os.utime(kept(tmp_path, owner, "file", download, limit=120), (1000 - age, 1000 - age))
    kept(tmp_path, "a", "file", download, limit=120)  # asked for again
    newest = kept(tmp_path, "d", "file", download, limit=120)
    assert {path.parent.name for path in tmp_path.glob("[!.]*/*")} == {"a", "c", "d"}
    kept(tmp_path, "e", "file", download, limit=1)
    assert {path.parent.name for path in tmp_path.glob("[!.]*/*")} == {"e"}
    assert not newest.exists()


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def download(folder: Path) -> Path:
        (folder / "half").write_text("")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        kept(tmp_path, "run", "file", download)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]
