"""What is downloaded from a store elsewhere is downloaded once, and takes bounded room."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.system.settings import SettingsError
from core.tracking.downloads import kept
from tests.support.waiting import wait_for


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
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != ".locks"]


def writes(folder: Path) -> Path:
    (folder / "file").write_bytes(b"x" * 40)
    return folder / "file"


SLOW = """
import sys, time
from pathlib import Path
from core.tracking.downloads import kept

def slow(folder):
    Path(sys.argv[2]).write_text("began")
    while not Path(sys.argv[3]).exists():
        time.sleep(0.05)
    (folder / "file").write_text("slow")
    return folder / "file"

print(kept(Path(sys.argv[1]), "slow", "file", slow))
"""


def test_who_wants_another_artifact_does_not_wait_for_a_slow_download(tmp_path: Path) -> None:
    cache, began, go_on = tmp_path / "cache", tmp_path / "began", tmp_path / "go on"
    command = [sys.executable, "-c", SLOW, str(cache), str(began), str(go_on)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as slow:
        wait_for(began.exists)
        with ThreadPoolExecutor() as pool:
            same = pool.submit(kept, cache, "slow", "file", writes)
            for name in ("a", "b"):  # the second makes room, and leaves the slow one's folder alone
                other = pool.submit(kept, cache, "other", name, writes, limit=1)
                assert other.result(timeout=60).read_bytes() == b"x" * 40
            assert not same.done()  # one download for both
            assert slow.poll() is None
            go_on.touch()
            assert same.result(timeout=60).read_text() == "slow"
        assert slow.stdout is not None
        assert slow.stdout.read().strip() == str(same.result())
        assert slow.wait() == 0


def test_many_that_want_the_same_artifacts_in_little_room_get_them(tmp_path: Path) -> None:
    def read(number: int) -> bytes:
        with contextlib.suppress(FileNotFoundError):  # it went between the answer and the look
            return kept(tmp_path, f"run {number % 5}", "file", writes, limit=100).read_bytes()
        return b"x" * 40

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(200))) == {b"x" * 40}
    entries = list(tmp_path.glob("[!.]*/*"))
    assert 1 <= len(entries) <= 3
    assert len(list((tmp_path / ".locks").iterdir())) <= 5  # those of what went have gone with it


def test_what_killed_downloads_left_goes(tmp_path: Path) -> None:
    left, fresh = tmp_path / ".part-left", tmp_path / ".part-fresh"
    for folder in (left, fresh):
        folder.mkdir()
    os.utime(left, (1000, 1000))
    kept(tmp_path, "run", "file", writes)
    assert (left.exists(), fresh.exists()) == (False, True)


def onto_a_full_disk(folder: Path) -> Path:
    Path("/dev/full").write_bytes(b"x")  # Linux' own: every write fails with ENOSPC
    return folder


def test_a_disk_that_takes_nothing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"{tmp_path}, which .* be written: No space left on device\."):
        kept(tmp_path, "run", "file", onto_a_full_disk)
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file, which .* be written: Not a directory\."):
        kept(tmp_path / "file", "run", "file", writes)
    with pytest.raises(FileNotFoundError):  # what is read and is not there is no matter of the disk
        kept(tmp_path, "run", "other", lambda folder: Path("/nowhere").rename(folder / "other"))
