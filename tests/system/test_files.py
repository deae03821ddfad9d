"""Files that other processes read meanwhile are replaced atomically."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.system.files import replacing, write_whole


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")
    with replacing(path) as draft, draft.open("w") as file:
        file.write("ne")
        file.flush()
        assert path.read_text() == "old"
        file.write("w")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sync", [True, False])
def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")

    def write() -> None:
        with replacing(path, sync=sync) as draft:
            draft.write_text("half of the ne")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    with replacing(path, private=True) as draft:
        assert draft.stat().st_mode & 0o077 == 0
        draft.write_text("secret")
    assert path.stat().st_mode & 0o077 == 0
    write_whole(path, "another", private=True)
    assert path.stat().st_mode & 0o077 == 0
