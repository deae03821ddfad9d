"""Names in a zip that are not marked as UTF-8 are read as they were written, and never merged silently."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from core import datasets
from core.commands import cli
from core.datasets import findings, store
from core.images.name_encoding import guess_encoding
from core.importing.importer import ImportRefused, import_images

# Class names as people give them, in the encoding of the system that packs them.
WRITTEN = [
    ("cp850", ["Bär", "Löwe"]),
    ("cp1252", ["Größe", "Äpfel"]),
    ("cp850", ["café", "thé"]),
    ("cp1252", ["café", "thé"]),
    ("cp850", ["niño", "árbol", "león"]),
    ("cp850", ["bjørn", "måke"]),
    ("cp850", ["maçã", "limão"]),
    ("cp852", ["żaba", "łoś", "świnia"]),
    ("cp1250", ["żaba", "łoś", "świnia"]),
    ("cp852", ["kočka", "kůň"]),
    ("cp866", ["кошка", "собака"]),
    ("cp1251", ["Норма", "Патология"]),
    ("cp737", ["γάτα", "σκύλος"]),
    ("cp1253", ["γάτα", "σκύλος"]),
    ("cp862", ["חתול", "כלב"]),
    ("cp1256", ["قطة", "كلب"]),
    ("cp874", ["แมว", "สุนัข"]),
    ("gbk", ["猫", "狗"]),
    ("gbk", ["良性", "恶性"]),
    ("gbk", ["苹果", "香蕉", "橙子"]),
    ("cp932", ["猫", "犬"]),
    ("cp932", ["表示", "表現", "能力"]),
    ("cp932", ["りんご", "バナナ"]),
    ("euc-jp", ["猫", "りんご"]),
    ("big5", ["貓", "狗"]),
    ("big5", ["蘋果", "許功蓋"]),
    ("cp949", ["고양이", "개"]),
    ("cp949", ["정상", "비정상"]),
    # An accented letter and the letter after it make a character of East Asian encodings.
    ("cp850", ["größe", "klein"]),
    ("cp437", ["größe", "klein"]),
    ("cp850", ["Vögel", "weiß"]),
    ("cp850", ["avião", "carro"]),
    ("cp850", ["São", "mão", "pão"]),
    ("cp850", ["caminhão", "maracujá"]),
    ("cp852", ["żółty", "pączek"]),
    ("cp1250", ["żółty", "czerwony"]),
    ("cp857", ["ılık", "sıcak"]),
    ("cp857", ["ılık"]),
    # Letters of one language each come before letters that no language has together.
    ("cp1252", ["niño", "árbol", "león"]),
    ("cp437", ["señal"]),
    ("cp850", ["señal"]),
    ("cp1252", ["pêche", "maïs"]),
    ("cp1252", ["køer", "får"]),
    ("cp857", ["kuş", "köpek"]),
    ("cp1254", ["kuş", "köpek"]),
    ("cp1257", ["kaķis", "suņi"]),
    ("cp1252", ["Müller", "Señor", "Søren"]),
    ("cp1250", ["jablko", "švestka"]),
    # And characters whose second byte is a letter are no accented letters.
    ("cp932", ["桜", "菊"]),
    ("cp932", ["A級", "B級", "OK品"]),
    ("gbk", ["X光", "T恤"]),
]


def unmarked(path: Path, names: Sequence[bytes], png: bytes, *, marked: Sequence[str] = ()) -> Path:
    """A zip of two images a folder, whose folder names are these bytes, without the UTF-8 flag.

    marked: further folders, which do have the flag.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            held = chr(ord("A") + number) * len(name)  # zipfile marks what is not ASCII: written below
            for image in range(2):
                archive.writestr(f"{held}/{image}.png", png)
        for name in marked:
            archive.writestr(f"{name}/marked.png", png)
    data = path.read_bytes()
    for number, name in enumerate(names):
        data = data.replace((chr(ord("A") + number) * len(name)).encode() + b"/", name + b"/")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("encoding", "names"), WRITTEN, ids=lambda value: str(value))
def test_names_are_read_in_the_encoding_that_they_are_written_in(encoding: str, names: list[str]) -> None:
    raw = [f"{name}/0.png".encode(encoding) for name in names]
    guess = guess_encoding(raw)
    assert guess is not None
    assert [name.decode(guess.encoding) for name in raw] == [f"{name}/0.png" for name in names]
    foreign = [name for name in names if not name.isascii()]
    assert guess.examples == tuple(foreign)[:3]
    assert guess.utf_8 == ()
    for other, examples in guess.others:  # what a person chooses from: each reads otherwise
        assert examples == tuple(name.encode(encoding).decode(other) for name in foreign)[:3]
        assert examples != guess.examples


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ["zèbre"]),  # cp1250: `zčbre`
        ("cp850", ["poêle"]),  # cp852: `połle`
        ("cp850", ["botões", "leões"]),  # cp1252: `botäes`
        ("cp852", ["tűz"]),  # cp1257: `tūz`
    ],
)
def test_names_that_are_words_of_two_languages_are_among_the_readings_to_choose_from(
    encoding: str, names: list[str]
) -> None:
    guess = guess_encoding([f"{name}/0.png".encode(encoding) for name in names])
    assert guess is not None
    assert tuple(names) in [examples for _, examples in guess.others[:3]]  # those that the sentence has
    assert ", ".join(names) in guess.sentence


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["犬", "表裏"]),
        ("gbk", ["狗", "良性"]),
        ("cp850", ["Bär", "Löwe"]),
        ("cp866", ["сад", "рай", "кот"]),
    ],
    ids=lambda value: str(value),
)
def test_a_name_in_utf_8_among_others_is_read_as_utf_8(
    tmp_path: Path, png: bytes, encoding: str, names: list[str]
) -> None:
    # "сад" and "рай" in cp866 are valid UTF-8 by chance, and "狗" in GBK is as long as a letter in UTF-8.
    path = unmarked(tmp_path / "a.zip", [*(name.encode(encoding) for name in names), "猫".encode()], png)
    for chosen in (None, encoding):
        info = import_images("x", path, encoding=chosen, replace=True)
        assert sorted(info.classes) == sorted([*names, "猫"])
        (note,) = [note for note in info.notes if "encoded" in note]
        assert "Others are UTF-8: 猫." in note


def test_the_command_says_how_it_reads_names_before_it_decodes_images(
    tmp_path: Path, png: bytes, home: Path
) -> None:
    path = unmarked(tmp_path / "a.zip", ["Bär".encode("cp850"), "Löwe".encode("cp850")], png)
    told = ": Bär, Löwe."
    for options, said in (((), True), (("--encoding", "cp850"), False)):
        answer = CliRunner().invoke(cli, ["import", "x", str(path), "--replace", *options])
        assert answer.exit_code == 0, answer.output
        assert (told in answer.stderr and "--encoding NAME" in answer.stderr) == said


@pytest.mark.parametrize("names", [["Bär", "Löwe"], ["表示", "表現"], ["Ba\u0308r", "b"]])
def test_utf_8_without_the_flag_is_certain(tmp_path: Path, png: bytes, names: list[str]) -> None:
    path = unmarked(tmp_path / "a.zip", [name.encode() for name in names], png)
    info = import_images("x", path)
    assert sorted(info.classes) == sorted(unicodedata.normalize("NFC", name) for name in names)
    assert "encoded" not in " ".join(info.notes)


def test_classes_of_a_shift_jis_archive_stay_apart_and_the_guess_is_said(tmp_path: Path, png: bytes) -> None:
    # The second byte of 表 and of 能 is a backslash in ASCII: no folder begins there.
    names = ["表示", "表現", "能力"]
    info = import_images("x", unmarked(tmp_path / "a.zip", [name.encode("cp932") for name in names], png))
    assert sorted(info.classes) == sorted(names)
    assert info.size == 6
    (note,) = [note for note in info.notes if "encoded" in note]
    assert note.startswith(
        "The archive does not say how its names are encoded; they were read as cp932: 表示"
    )


def test_another_encoding_can_be_chosen(tmp_path: Path, png: bytes) -> None:
    names = ["köpek", "eşek", "kuş"]  # as likely Czech in cp852: kuč
    path = unmarked(tmp_path / "a.zip", [name.encode("cp857") for name in names], png)
    info = import_images("x", path, encoding="cp857")
    assert sorted(info.classes) == sorted(names)
    assert "read as cp857: köpek" in " ".join(info.notes)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-8", r"The names in the archive are not in utf-8: b'\\x95\\\\\\x8e\\xa6' cannot be read so\."),
        ("klingon", r"There is no text encoding 'klingon'\. Common ones: utf-8, gb18030, "),
        ("base64", r"There is no text encoding 'base64'"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused(
    tmp_path: Path, png: bytes, nothing_written, encoding: str, message: str
) -> None:
    path = unmarked(tmp_path / "a.zip", ["表示".encode("cp932"), "能".encode("cp932")], png)
    with pytest.raises(ImportRefused, match=message):
        import_images("x", path, encoding=encoding)
    nothing_written()


def test_one_folder_in_two_encodings_is_one_class_and_said(tmp_path: Path, png: bytes) -> None:
    path = unmarked(tmp_path / "a.zip", ["Bär".encode("cp850"), "Löwe".encode("cp850")], png, marked=["Bär"])
    info = import_images("x", path)
    assert info.classes == ("Bär", "Löwe")
    assert info.size == 5
    note = "The folder 'Bär' is written in 2 encodings in the archive, and was read as one folder."
    assert note in info.notes


def test_a_name_in_the_unicode_field_is_believed(tmp_path: Path, png: bytes) -> None:
    raw, name = "кошка/0.png".encode("cp866"), "кошка/0.png"
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("A" * len(raw))
        entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
        archive.writestr(entry, png)
        archive.writestr("dog/0.png", png)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"A" * len(raw), raw))
    info = import_images("x", tmp_path / "a.zip")
    assert info.classes == ("dog", "кошка")
    assert "encoded" not in " ".join(info.notes)


@pytest.mark.parametrize("kind", ["folders", "parts", "zip", "table"])
def test_a_class_in_two_unicode_forms_is_one_class_and_said(photos, kind: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    if kind == "table":
        photos.add(*(f"{i}.png" for i in range(6)))
        rows = [f"{i}.png,{(composed, decomposed, 'tea')[i % 3]}" for i in range(6)]
        photos.write("labels.csv", "\n".join(["file,label", *rows]).encode())
    else:
        one, other = ("train/", "test/") if kind == "parts" else ("", "")
        photos.add(*(f"{one}{label}/{i}.png" for label in (composed, "tea") for i in range(2)))
        photos.add(*(f"{other}{label}/{i + 2}.png" for label in (decomposed, "tea") for i in range(2)))
    info = import_images("x", photos.zipped() if kind == "zip" else photos.root)
    assert info.classes == ("café", "tea")
    assert "were read as one class: 'café'." in " ".join(info.notes)


def test_a_group_in_two_unicode_forms_is_one_group(photos) -> None:
    photos.add(*(f"{i}.png" for i in range(8)))
    forms = [unicodedata.normalize(form, "René") for form in ("NFC", "NFD")]
    rows = [f"{i}.png,{'ab'[i % 2]},{forms[i // 4] if i % 4 == 0 else f'p{i}'}" for i in range(8)]
    photos.write("labels.csv", "\n".join(["file,label,patient", *rows]).encode())
    import_images("x", photos.root)
    groups = datasets.load("x").groups
    assert groups is not None
    assert sorted(groups.tolist()).count("René") == 2


def test_a_class_to_mirror_may_be_written_in_either_form(photos) -> None:
    photos.add(*(f"{label}/{i}.png" for label in ("ü", "b", "c") for i in range(2)))
    info = import_images("x", photos.root, mirror=(unicodedata.normalize("NFD", "ü"), "b"))
    assert info.classes == ("b", "c")


def test_a_dataset_imported_before_says_that_two_classes_are_one(photos) -> None:
    photos.add(*(f"{label}/{i}.png" for label in ("café", "cafe2") for i in range(2)))
    import_images("x", photos.root)
    manifest = store.folder_of("x") / store.MANIFEST
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("cafe2", "cafe\\u0301"), encoding="utf-8")
    said = [found.sentence for found in findings.find_all(datasets.load("x"))]
    assert any("differ only in their Unicode form" in sentence for sentence in said)
