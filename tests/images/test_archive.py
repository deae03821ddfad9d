"""Archives of every kind: nothing is unpacked, nothing leaves the archive, the good images are imported."""

from __future__ import annotations

import struct
import warnings
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from core.images import archive
from core.importing.importer import ImportRefused, import_images

pytestmark = pytest.mark.slow


def test_an_empty_class_in_an_archive_is_named(tmp_path, png):
    def folders(file: zipfile.ZipFile) -> None:
        for name in ("bird/", "cat/", "dog/old/", ".git/"):
            file.writestr(name, b"")

    problems = import_images("x", packed(tmp_path / "a.zip", png, folders)).problems
    reason = "is an empty folder: no class was made of it"
    assert [tuple(problem) for problem in problems] == [("bird", reason), ("dog/old", reason)]


def test_ten_thousand_classes_are_imported(photos, png):
    with zipfile.ZipFile(photos.root.with_suffix(".zip"), "w") as file:
        for number in range(10_000):
            file.writestr(f"{number:05}/0.png", png)
    info = import_images("x", photos.root.with_suffix(".zip"))
    assert info.num_classes == info.size == 10_000
    assert info.subset_size("train") == 10_000  # a lone image stays in training


def test_a_hundred_thousand_entries_are_listed(tmp_path, png):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(100_000):
            file.writestr(f"__MACOSX/{number}", b"")
        for label in "ab":
            file.writestr(f"{label}/0.png", png)
    assert import_images("x", path).size == 2


def test_too_many_entries_are_refused(photos, monkeypatch, nothing_written):
    photos.pair()
    monkeypatch.setattr(archive, "MAX_ENTRIES", 7)
    with pytest.raises(ImportRefused, match=r"has 8 entries; at most 7 .* Unpack it and import the folder"):
        import_images("x", photos.zipped())
    nothing_written()


def test_an_archive_behind_a_program_is_read(photos):
    photos.pair()
    path = photos.zipped()
    path.write_bytes(b"#!/bin/sh\nexit 1\n" + path.read_bytes())  # as self-extracting archives begin
    assert import_images("x", path).size == 8


def packed(path, png: bytes, change: Callable[[zipfile.ZipFile], None]):
    """An archive of two good classes and what `change` adds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for label in ("cat", "dog"):
            for number in range(2):
                file.writestr(f"{label}/{number}.png", png)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # zipfile warns of a name that it writes twice
            change(file)
    return path


@pytest.mark.parametrize(
    "name",
    ["../cat/x.png", "cat/../../x.png", "/etc/x.png", "C:/x/y.png", "\\\\server\\share.png", "..\\x.png"],
)
def test_a_member_that_leads_out_of_the_archive_is_named(tmp_path, png, name):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr(name, png))
    before = sorted(tmp_path.parent.rglob("*.png"))
    info = import_images("x", path)
    assert info.size == 4
    assert [problem.reason for problem in info.problems] == ["has a path that leads out of the archive"]
    assert sorted(tmp_path.parent.rglob("*.png")) == before


def test_backslashes_in_an_archive_are_folders(tmp_path, png):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("bird\\0.png", png))
    assert import_images("x", path).classes == ("bird", "cat", "dog")


def test_a_link_in_an_archive_is_named(tmp_path, png):
    link = zipfile.ZipInfo("cat/link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr(link, "/etc/passwd"))
    assert dict(import_images("x", path).problems) == {"cat/link.png": "is a link"}


def test_a_name_twice_in_an_archive_is_named(tmp_path, png):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/0.png", png))
    info = import_images("x", path)
    assert info.size == 4
    assert dict(info.problems) == {"cat/0.png": "occurs twice in the archive"}


def encrypt(data: bytearray, name: bytes | None = None) -> bytes:
    """Set the encryption flag in the headers of one member, or of all."""
    for signature, flags, names in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = data.find(signature)
        while at >= 0:
            if name is None or data[at + names :].startswith(name):
                data[at + flags] |= 1
            at = data.find(signature, at + 1)
    return bytes(data)


def test_an_encrypted_archive_is_refused(tmp_path, png, nothing_written):
    path = packed(tmp_path / "a.zip", png, lambda file: None)
    path.write_bytes(encrypt(bytearray(path.read_bytes())))
    with pytest.raises(ImportRefused, match=r"a\.zip is encrypted"):
        import_images("x", path)
    nothing_written()


def test_an_encrypted_member_is_named(tmp_path, png):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/secret.png", png))
    path.write_bytes(encrypt(bytearray(path.read_bytes()), b"cat/secret.png"))
    assert dict(import_images("x", path).problems) == {"cat/secret.png": "is encrypted"}


def test_a_zip_bomb_is_refused(tmp_path, png, monkeypatch, nothing_written):
    monkeypatch.setattr(archive, "MAX_RATIO_FREE_BYTES", 1024**2)  # the real bound would need a gigabyte
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/0.bmp", bytes(8 * 1024**2)))
    with pytest.raises(ImportRefused, match=r"would unpack to .* times its size; at most 100 times"):
        import_images("x", path)
    nothing_written()


def test_a_huge_member_is_named_and_not_unpacked(tmp_path, png, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 1024)
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/big.bmp", bytes(2000)))
    assert dict(import_images("x", path).problems) == {
        "cat/big.bmp": "has 2,000 bytes; at most 1,024 are read"
    }


def test_a_member_larger_than_it_says_is_named(tmp_path, png):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/liar.png", bytes(100_000)))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 100_000), struct.pack("<I", 100)))
    reason = "is damaged in the archive (size or checksum differ)"
    assert dict(import_images("x", path).problems) == {"cat/liar.png": reason}


def test_a_damaged_member_is_named(tmp_path, png):
    noise = np.random.default_rng(0).bytes(500)
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/0.bin", noise, zipfile.ZIP_STORED))
    path.write_bytes(path.read_bytes().replace(noise, noise[::-1]))
    reason = "is damaged in the archive (size or checksum differ)"
    assert dict(import_images("x", path).problems) == {"cat/0.bin": reason}


def test_a_member_packed_by_another_method_is_named(tmp_path, png):
    path = packed(tmp_path / "a.zip", png, lambda file: file.writestr("cat/x.png", png, zipfile.ZIP_LZMA))
    (problem,) = import_images("x", path).problems
    assert problem == ("cat/x.png", "is packed by method 14; stored and deflated members are read")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(tmp_path, png, nothing_written, kept):
    path = packed(tmp_path / "a.zip", png, lambda file: None)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImportRefused, match=r"a\.zip"):
        import_images("x", path)
    nothing_written()


def test_an_empty_archive_is_refused(tmp_path, nothing_written):
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    with pytest.raises(ImportRefused, match="holds no image in a class folder"):
        import_images("x", tmp_path / "a.zip")
    nothing_written()


def test_a_tar_archive_is_refused(photos, tmp_path, nothing_written):
    import tarfile

    photos.pair()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        file.add(photos.root, "photos")
    with pytest.raises(ImportRefused, match=r"zip archive or a table .*Received: the file a\.tar\.gz"):
        import_images("x", tmp_path / "a.tar.gz")
    nothing_written()
