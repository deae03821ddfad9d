"""Whatever lies in a folder or archive: the good images are imported, the rest is named with its reason."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.datasets import store
from core.importing import decoding as import_decoding
from core.importing import walk
from core.importing.importer import ImportRefused, import_images
from core.system.settings import PROGRAM, get_settings


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb(width: int = 8, height: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def frames(kind: str) -> bytes:
    return encoded(rgb(), kind, save_all=True, append_images=[rgb().rotate(90), rgb().rotate(180)])


def claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims a huge image: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


UNREADABLE = {
    "a truncated PNG": ("cut.png", lambda: encoded(rgb(64, 64))[:2000], "is damaged"),
    "a truncated JPEG": ("cut.jpg", lambda: encoded(rgb(64, 64), "JPEG")[:900], "is damaged"),
    "a PNG header alone": ("head.png", lambda: encoded(rgb())[:20], "damaged|not an image"),
    "a flipped byte in a PNG": (
        "flip.png",
        lambda: (lambda d: d[:60] + bytes([d[60] ^ 255]) + d[61:])(encoded(rgb())),
        "is damaged",
    ),
    "an empty file": ("empty.png", lambda: b"", r"is empty \(0 bytes\)"),
    "text named .png": ("text.png", lambda: b"this is no image at all", "not an image of a format"),
    "a web page named .jpg": (
        "page.jpg",
        lambda: b"<!DOCTYPE html><html></html>",
        "not an image of a format",
    ),
    "an SVG": (
        "vector.svg",
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "not an image of a format",
    ),
    "PostScript": ("program.eps", lambda: encoded(rgb(), "EPS"), "not an image of a format"),
    "a PDF": ("paper.pdf", lambda: encoded(rgb(), "PDF"), "not an image of a format"),
    "a zip inside": ("inner.png", lambda: b"PK\x03\x04" + bytes(60), "not an image of a format"),
    "a decompression bomb": ("bomb.png", lambda: claiming(50_000, 50_000), "pixels that are read"),
    "a picture just over the limit": ("big.png", lambda: claiming(10_000, 7_000), "has 70,000,000 pixels"),
    "no pixels at all": ("zero.png", lambda: claiming(0, 0), "damaged|not an image"),
    "random bytes": ("dust.bmp", lambda: bytes(range(256)) * 4, "not an image of a format"),
}

READABLE = {
    "a 20,000×10 strip": ("strip.png", lambda: encoded(Image.new("RGB", (20_000, 10), "red"))),
    "a 1×1 image": ("dot.png", lambda: encoded(rgb(1, 1))),
    "an animated GIF": ("moving.gif", lambda: frames("GIF")),
    "an animated WebP": ("moving.webp", lambda: frames("WEBP")),
    "a WebP": ("still.webp", lambda: encoded(rgb(), "WEBP")),
    "a TIFF": ("scan.tiff", lambda: encoded(rgb(), "TIFF")),
    "a TIFF of three pages": ("pages.tif", lambda: frames("TIFF")),
    "a BMP": ("old.bmp", lambda: encoded(rgb(), "BMP")),
    "a PPM": ("plain.ppm", lambda: encoded(rgb(), "PPM")),
    "a 16-bit PNG": ("deep.png", lambda: encoded(Image.fromarray(np.full((8, 8), 40_000, np.uint16)))),
    "a CMYK JPEG": ("print.jpg", lambda: encoded(rgb().convert("CMYK"), "JPEG")),
    "an RGBA PNG": ("glass.png", lambda: encoded(rgb().convert("RGBA"))),
    "a palette PNG": ("palette.png", lambda: encoded(rgb().quantize(16))),
    "a bilevel PNG": ("fax.png", lambda: encoded(rgb().convert("1"))),
    "a JPEG named .png": ("wrong.png", lambda: encoded(rgb(), "JPEG")),
    "a PNG named .txt": ("image.txt", lambda: encoded(rgb())),
    "a PNG without suffix": ("image", lambda: encoded(rgb())),
    "an upper-case suffix": ("IMG.JPEG", lambda: encoded(rgb(), "JPEG")),
}


NAMES = {
    "spaces": "  my  cat .png",
    "quotes": 'the "best" cat\'s.png',
    "emoji": "🐈‍⬛.png",
    "Chinese": "猫.png",
    "255 characters": "c" * 251 + ".png",
    "a newline": "two\nlines.png",
    "a script": "<script>alert(1)<",
    "a formula": "=cmd|'x'!A1.png",
    "a percent sign": "%s%n%2e%2e.png",
    "a leading dash": "-rf.png",
    "no UTF-8": os.fsdecode(b"caf\xe9.png"),
}


class Imported(NamedTuple):
    """What became of a folder with every kind of file in it."""

    info: datasets.DatasetInfo
    source_names: list[str]
    reasons: dict[str, str]


@pytest.fixture(scope="module")
def everything(tmp_path_factory, photos_at) -> Imported:
    """Two classes of four good images, with every kind of file and name among them, imported once."""
    folder = tmp_path_factory.mktemp("everything")
    photos = photos_at(folder / "photos")
    photos.pair()
    for name, data, *_ in (*UNREADABLE.values(), *READABLE.values()):
        photos.write(f"cat/{name}", data())
    for name in NAMES.values():
        photos.write(f"cat/{name}", encoded(rgb()))
        photos.write(f"{name[:200]}/0.png", encoded(rgb()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHLAB_HOME", str(folder / "home"))
        get_settings.cache_clear()
        info = import_images("everything", photos.root)
        dataset = datasets.load("everything")
    get_settings.cache_clear()
    assert len(dataset.images) == info.size
    return Imported(info, dataset.source_names.tolist(), dict(info.problems))


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_file_is_reported(everything, kind):
    name, _, reason = UNREADABLE[kind]
    assert re.search(reason, everything.reasons[f"cat/{name}"])
    assert f"cat/{name}" not in everything.source_names


@pytest.mark.parametrize("kind", READABLE)
def test_an_unusual_image_is_imported(everything, kind):
    assert f"cat/{READABLE[kind][0]}" in everything.source_names


def test_the_good_images_around_them_are_imported(everything):
    good = {f"{label}/{number}.png" for label in ("cat", "dog") for number in range(4)}
    assert good < set(everything.source_names)
    assert len(everything.reasons) == len(UNREADABLE)
    assert everything.info.size == 8 + len(READABLE) + 2 * len(NAMES)


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_of_any_kind_is_kept_as_text(everything, kind):
    name = NAMES[kind]
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    assert f"cat/{text}" in everything.source_names
    assert everything.info.classes.count(text if kind == "no UTF-8" else text[:200]) == 1


def test_what_was_converted_is_said(photos):
    photos.pair()
    photos.write("cat/moving.gif", frames("GIF"))
    photos.write("cat/glass.png", encoded(rgb().convert("RGBA")))
    notes = " ".join(import_images("x", photos.root).notes)
    assert "1 images with transparency were laid on white" in notes
    assert "Of 1 images with several frames the first was taken" in notes


def test_a_systems_litter_is_passed_over(photos, png):
    photos.pair()
    for path in (
        "cat/.hidden.png",
        ".git/a/b.png",
        "__MACOSX/cat/._0.png",
        "dog/Thumbs.db",
        "dog/desktop.ini",
    ):
        photos.write(path, png)
    photos.write(".DS_Store", b"\0")
    for source in (photos.root, photos.zipped()):
        info = import_images("x", source, replace=True)
        assert (info.size, info.problems, info.classes) == (8, (), ("cat", "dog"))


def test_images_outside_the_class_folders_are_named_and_a_readme_is_not(photos, png):
    photos.pair()
    photos.write("stray.png", png)
    photos.write("README.md", b"# Pets")
    problems = import_images("x", photos.root).problems
    assert [tuple(problem) for problem in problems] == [("stray.png", "lies in no class folder")]


def test_images_outside_the_parts_are_named(photos, png):
    photos.add(*(f"{part}/{label}/0.png" for part in ("train", "test") for label in "ab"))
    for path in ("extra/a/1.png", "train/stray.png", "loose.png"):
        photos.write(path, png)
    problems = dict(import_images("x", photos.root).problems)
    assert problems == {
        "extra/a/1.png": "lies outside the train, validation and test folders",
        "loose.png": "lies outside the train, validation and test folders",
        "train/stray.png": "lies in no class folder",
    }


def test_a_link_out_of_the_folder_is_not_followed(photos, tmp_path, png):
    photos.pair()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret.png").write_bytes(png)
    (photos.root / "cat" / "out.png").symlink_to(tmp_path / "private" / "secret.png")
    (photos.root / "bird").symlink_to(tmp_path / "private")
    (photos.root / "cat" / "gone.png").symlink_to(photos.root / "nowhere.png")
    info = import_images("x", photos.root)
    assert info.size == 8
    assert dict(info.problems) == {
        "bird": walk.LEADS_OUT,
        "cat/gone.png": "cannot be opened (No such file or directory)",
        "cat/out.png": walk.LEADS_OUT,
    }


def test_a_pipe_in_the_folder_does_not_stop_the_import(photos):
    photos.pair()
    os.mkfifo(photos.root / "cat" / "pipe.png")
    assert dict(import_images("x", photos.root).problems) == {"cat/pipe.png": "is not a regular file"}


def test_an_empty_class_is_named(photos):
    photos.pair()
    (photos.root / "bird").mkdir()
    photos.write("fish/broken.png", b"x")
    info = import_images("x", photos.root)
    assert info.classes == ("cat", "dog")
    assert ("bird", "is an empty folder: no class was made of it") in info.problems
    assert ("fish", "has no readable image: no class was made of it") in info.problems


def test_a_class_only_in_test_is_said(photos):
    photos.add(*(f"{part}/{label}/0.png" for part in ("train", "test") for label in "ab"), "test/c/0.png")
    info = import_images("x", photos.root)
    assert info.counts["train"] == (1, 1, 0)
    assert "No training image is there for: 'c'." in info.notes


def test_one_class_is_refused(photos, nothing_written):
    photos.add("cat/1.png", "cat/2.png")
    with pytest.raises(
        ImportRefused, match=r"at least 2 classes: a folder each, .* Received from photos: 'cat'"
    ):
        import_images("x", photos.root)
    nothing_written()


def test_one_class_with_readable_images_is_refused(photos, nothing_written):
    photos.add("cat/1.png", "cat/2.png")
    photos.write("dog/1.png", b"no image")
    with pytest.raises(
        ImportRefused, match=r"Received from photos: 'cat'\. For example, 'dog/1\.png' is not"
    ):
        import_images("x", photos.root)
    nothing_written()


def test_a_source_without_any_readable_image_is_refused(photos, nothing_written):
    for label in "ab":
        photos.write(f"{label}/1.png", b"no image")
    with pytest.raises(ImportRefused, match="Received from photos: none"):
        import_images("x", photos.root)
    nothing_written()


def test_a_test_folder_without_a_train_folder_is_refused(photos, nothing_written):
    photos.add("test/a/1.png", "test/b/1.png")
    with pytest.raises(ImportRefused, match="no train folder beside: test"):
        import_images("x", photos.root)
    nothing_written()


def test_training_images_that_are_all_unreadable_are_refused(photos, nothing_written):
    photos.add("test/a/1.png", "test/b/1.png")
    for label in "ab":
        photos.write(f"train/{label}/1.png", b"no image")
    with pytest.raises(ImportRefused, match="no readable image to train on"):
        import_images("x", photos.root)
    nothing_written()


def test_a_disk_that_fills_up_leaves_nothing(photos, nothing_written):
    # A limit on the size of a file answers like a full disk: the write fails, for any user.
    photos.add(*(f"{label}/{i}.png" for label in "ab" for i in range(20)), size=(64, 64))
    code = (
        "import resource, sys\nfrom core.importing.importer import ImportRefused, import_images\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n    import_images('x', sys.argv[1])\n"
        "except ImportRefused as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(photos.root)],
        cwd=PROGRAM,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written: File too large" in done.stdout
    nothing_written()


def test_a_disk_that_is_full_when_the_workers_write_leaves_nothing(photos, nothing_written, monkeypatch):
    photos.pair()
    monkeypatch.setattr(
        import_decoding, "allocate_images", lambda path, count, shape: path.symlink_to("/dev/full")
    )
    with pytest.raises(ImportRefused, match="cannot be written: No space left on device"):
        import_images("x", photos.root)
    nothing_written()


def test_nothing_outside_the_datasets_folder_is_touched(photos, home):
    photos.pair()
    photos.write("cat/bad.png", b"x")
    before = {path: path.stat().st_mtime_ns for path in photos.root.rglob("*")}
    import_images("x", photos.root)
    assert {path: path.stat().st_mtime_ns for path in photos.root.rglob("*")} == before
    assert sorted(path.name for path in home.iterdir()) == ["datasets"]
    assert sorted(path.name for path in (home / "datasets").iterdir()) == [store.LOCK, "x"]
