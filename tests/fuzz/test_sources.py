"""Tables, zips and folders of any content are imported or refused in one sentence; nothing is left behind."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.importing.preview import preview_import
from core.importing.request import ImportRefused, parse_columns, parse_range
from core.registry import UnknownName
from tests.fuzz import texts
from tests.fuzz.conftest import tries
from tests.support.homes import using

pytestmark = pytest.mark.slow

NAMES = ("a.png", "b.png", "train/x/1.png", "test/y/2.png", "x/1.png", "y/2.png", "x/" + "9" * 5000 + ".png",
         "../../evil.png", "/etc/x/1.png", "x//1.png", "x/./1.png", "C:\\x\\1.png", "x\\y\\1.png", "x/",
         "/", "",
         "\0x/1.png", "é/1.png", "x" * 70 + "/" + "y" * 300 + ".png", "/".join(["d"] * 300) + "/1.png",
         ".hidden/1.png", "x/t.csv", "labels.csv", "con/aux.png", "x/1.png\n",
         "９" * 5 + "/1.png")  # fmt: skip
CELLS = (
    *NAMES,
    *texts.WORDS[:30],
    *texts.NUMBERS[:20],
    "1",
    "2",
    "cat",
    "dog",
    "train",
    "test",
    "1;2",
    "a,b",
)
HEADERS = ("image", "label", "split", "group", "file", "xmin", "", "index", "Label ", "bbox", "path", "class")


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture(scope="module")
def png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (3, 3)).save(file, "png")
    return file.getvalue()


def list_or_refuse(path: Path, **asked: object) -> None:
    try:
        preview_import(path, **asked)
    except (ImportRefused, UnknownName) as error:
        assert 0 < len(str(error)) < 5000
        assert "integer string conversion" not in str(error)


tables = st.builds(
    lambda header, rows, sign, end, mark: (
        mark + end.join(sign.join(row) for row in [header, *rows]).encode("utf-8", "surrogatepass")
    ),
    st.lists(st.one_of(st.sampled_from(HEADERS), texts.words), max_size=5),
    st.lists(st.lists(st.one_of(st.sampled_from(CELLS), texts.words), max_size=6), max_size=6),
    st.sampled_from([",", ";", "\t", '","', ' , "']),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\0"]),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"PAR1", b"PK\x03\x04"]),
)
raw_bytes = st.one_of(st.binary(max_size=300), tables, st.just(b'"' * 200_000), st.just(b"," * 300_000))


@given(
    raw_bytes,
    st.sampled_from(["t.csv", "t.tsv", "t.parquet", "t.zip"]),
    st.sampled_from(
        [None, "cp1252", "utf-7", "idna", "base64", "rot13", "undefined", "\0", "x" * 999, "punycode"]
    ),
)
@tries(40)
def test_a_table_of_any_content_is_listed_or_refused(content: bytes, name: str, encoding: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        list_or_refuse(path, encoding=encoding)
        list_or_refuse(Path(folder), encoding=encoding)


@given(
    st.lists(st.one_of(st.sampled_from(NAMES), texts.words), max_size=8),
    raw_bytes,
    st.sampled_from([None, "cp437", "utf-16", "base64", "x"]),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=4)), max_size=3),
    st.integers(0, 3000),
)
@tries(40)
def test_a_zip_of_any_names_and_damage_is_listed_or_refused(
    png: bytes, names: list[str], table: bytes, encoding: str | None, damage: list, cut: int
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            with suppress(ValueError, UnicodeEncodeError, zipfile.LargeZipFile):
                archive.writestr(name.replace("\0", "?") or "x", table if name.endswith("csv") else png)
    content = bytearray(file.getvalue())
    for place, replaced in damage:
        content[place : place + len(replaced)] = replaced
    if cut > 2000:
        del content[-(cut - 2000) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.zip"
        path.write_bytes(content)
        list_or_refuse(path, encoding=encoding)


links = st.lists(
    st.tuples(
        st.sampled_from(["a/link", "b/link", "link", "a/1.png", "t.csv", "a/b/c"]),
        st.sampled_from([".", "..", "link", "../link", "../a", "a", "b", "/", "/etc", "/dev/zero",
                         "/proc/self/fd/0",
                         "nowhere", "a/link", "../b/link", "x" * 255, "a/b/c", "1.png"]),
    ),
    max_size=6,
)  # fmt: skip


@given(links, raw_bytes)
@tries(30)
def test_links_of_a_folder_lead_nowhere_unasked_and_never_in_circles(
    png: bytes, links: list[tuple[str, str]], table: bytes
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in ("a", "b"):
            (folder / label).mkdir()
            (folder / label / "0.png").write_bytes(png)
        for path, target in links:
            place = folder / path
            with suppress(OSError):
                place.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(target, place)
        with suppress(OSError):
            (folder / "labels.csv").write_bytes(table)
        list_or_refuse(folder)
        for path, _ in links:  # the source itself may be one of them; but a whole machine is long to read
            if os.path.realpath(folder / path).startswith(os.path.realpath(folder)):
                list_or_refuse(folder / path)
                list_or_refuse(folder, links=[folder / path])


@given(st.lists(texts.words, max_size=4), texts.words)
@tries(30)
def test_columns_and_ranges_are_read_or_refused(columns: list[str], text: str) -> None:
    with suppress(ImportRefused):
        parse_columns(columns)
    with suppress(ImportRefused):
        parse_range(text)
    with suppress(ImportRefused):
        parse_range(f"{text} {text}")


@given(texts.words)
@tries(30)
def test_any_path_of_a_source_is_refused_in_a_sentence(text: str) -> None:
    list_or_refuse(Path("/nowhere") / text)
    list_or_refuse(Path(f"./{text}"))
