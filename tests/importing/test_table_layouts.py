"""Images beside a table in the layouts that people have are imported, and what is not read is said."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from core import datasets
from core.importing.importer import ImportRefused, import_images

pytestmark = pytest.mark.slow

NUMBERS = range(10, 22)


def label(number: int) -> str:
    return "odd" if number % 2 else "even"


def rows(pattern: str, header: str = "file,label") -> str:
    """A CSV with a row for each image: {n} is its number, {l} its label."""
    return "\n".join([header, *(pattern.format(n=n, l=label(n)) for n in NUMBERS)]).strip() + "\n"


def check(info: datasets.DatasetInfo, size: int = len(NUMBERS)) -> None:
    """Every image has the label that its number tells."""
    dataset = datasets.load(info.name)
    assert (info.classes, info.size) == (("even", "odd"), size)
    for name, code in zip(dataset.source_names, dataset.labels, strict=True):
        assert info.classes[code] == label(int(name.rpartition("/")[2].partition(".")[0]))


# name: (folder of the images, table's name, table's text)
LAYOUTS = {
    "names without suffix": (".", "labels.csv", rows("{n},{l}")),
    "names without their folder": ("images", "labels.csv", rows("{n}.png,{l}")),
    "neither": ("images", "labels.csv", rows("{n},{l}")),
    "Kaggle": ("train_images", "train.csv", rows("{n},{l}", "id_code,diagnosis")),
    "unusual names": ("photos", "data.csv", rows("{n}.png,{l}", "bild,sorte")),
    "label first": ("photos", "data.csv", rows("{l},{n}.png", "y,x")),
    "an index column": ("photos", "data.csv", rows("{n},{n}.png,{l}", ",filename,kind")),
    "no header": ("images", "labels.csv", rows("images/{n}.png,{l}", "")),
    "no header, tabs": ("images", "labels.tsv", rows("{n}.png\t{l}", "")),
    "no header, label first, no suffix": ("images", "labels.csv", rows("{l},{n}", "")),
    "a path of another machine": ("images", "labels.csv", rows("/kaggle/input/x/images/{n}.png,{l}")),
    "a path of Windows": ("images", "labels.csv", rows("C:\\Users\\x\\images\\{n}.png,{l}")),
    "a folder above": ("images", "labels.csv", rows("data/images/{n}.png,{l}")),
    "a table beside the folder": ("images", "tables/labels.csv", rows("../images/{n}.png,{l}")),
    "another case": ("images", "labels.csv", rows("{n}.PNG,{l}")),
    "Excel's UTF-16": ("images", "labels.csv", rows("{n}.png\t{l}", "file\tlabel")),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_table_finds_its_images(photos, kind: str) -> None:
    folder, name, text = LAYOUTS[kind]
    photos.add(*(f"{folder}/{n}.png" for n in NUMBERS))
    photos.write(name, text.encode("utf-16" if "UTF-16" in kind else "utf-8"))
    for source in ("folder", "zip", "table"):
        if (source, kind) == ("table", "a table beside the folder"):
            continue  # its images do not lie below it
        path = {"zip": photos.zipped, "table": lambda: photos.root / name}.get(source, lambda: photos.root)()
        check(import_images("x", path, replace=True))


def test_an_absolute_path_in_the_folder_is_found(photos) -> None:
    photos.add(*(f"images/{n}.png" for n in NUMBERS))
    path = photos.write("labels.csv", rows(f"{photos.root}/images/{{n}}.png,{{l}}").encode())
    check(import_images("x", photos.root))
    check(import_images("y", path))


def test_a_missing_image_is_never_taken_for_another_of_its_name(photos) -> None:
    photos.add(*(f"images/{n}.png" for n in NUMBERS if n != 12), "old/12.png", "thumbs/images/12.png")
    photos.write("labels.csv", rows("images/{n}.png,{l}").encode())
    info = import_images("x", photos.root)
    check(info, 11)
    assert dict(info.problems) == {"images/12.png": "is not in the folder"}


def test_a_folder_in_the_row_tells_images_of_one_name_apart(photos) -> None:
    photos.add(*(f"{label}/{n}.png" for label in ("cat", "dog") for n in range(3)))
    text = "".join(f"{n}.png,{label}\n" for label in ("cat", "dog") for n in range(3))
    photos.write("labels.csv", ("file,label\n" + text).encode())
    info = import_images("x", photos.root)
    dataset = datasets.load("x")
    assert info.size == 6
    for name, code in zip(dataset.source_names, dataset.labels, strict=True):
        assert name.startswith(info.classes[code])


def test_images_of_one_name_that_nothing_tells_apart_are_named(photos) -> None:
    photos.add(*(f"{folder}/{n}.png" for folder in "ab" for n in NUMBERS))
    photos.write("labels.csv", rows("{n}.png,{l}").encode())
    with pytest.raises(ImportRefused, match=r"'10\.png' may be 'a/10\.png' or 'b/10\.png': the table must"):
        import_images("x", photos.root)


@pytest.mark.parametrize("kind", ["below the table", "in a folder", "another case", "unusual names"])
@pytest.mark.parametrize("source", ["folder", "zip", "table"])
def test_an_image_and_its_mask_of_one_name_are_never_chosen_between(photos, source: str, kind: str) -> None:
    suffix = "JPG" if kind == "another case" else "jpg"
    folder = "." if kind == "below the table" else "images"
    photos.add(*(f"{folder}/{n}.{suffix}" for n in NUMBERS))
    photos.add(*(f"{folder}/{n}.png" for n in NUMBERS), mode="L")
    header = "bild,sorte" if kind == "unusual names" else "file,label"
    table = photos.write("labels.csv", rows("{n},{l}", header).encode())
    path = {"folder": photos.root, "zip": photos.zipped(), "table": table}[source]
    first = f"{folder}/10".removeprefix("./")
    with pytest.raises(ImportRefused, match=rf"'{first}\.{suffix}' or '{first}\.png': .* name the suffix\."):
        import_images("x", path)
    photos.write("labels.csv", rows(f"{folder}/{{n}}.{suffix},{{l}}", header).encode())
    check(import_images("x", photos.root))


def test_one_image_of_two_suffixes_is_left_out_and_said(photos) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS), "12.tif")
    photos.write("labels.csv", rows("{n},{l}").encode())
    info = import_images("x", photos.root)
    check(info, 11)
    assert dict(info.problems) == {"12": "may be '12.png' or '12.tif': the table must name the suffix"}


def test_a_file_of_the_whole_name_is_meant_before_an_image_whose_name_goes_on(photos) -> None:
    photos.add(*(f"a/{n}.png" for n in NUMBERS), *(f"a/{n}.png.jpg" for n in NUMBERS))
    photos.write("labels.csv", rows("{n}.png,{l}").encode())
    check(import_images("x", photos.root))
    assert all(name.endswith(".png") for name in datasets.load("x").source_names)


def test_a_kaggle_competition_is_read_by_its_train_table_alone(photos) -> None:
    photos.add(*(f"train_images/{n}.png" for n in NUMBERS), *(f"test_images/{n}.png" for n in range(30, 34)))
    photos.write("train.csv", rows("{n},{l}", "id_code,diagnosis").encode())
    photos.write("test.csv", b"id_code\n30\n31\n32\n33\n")
    photos.write("sample_submission.csv", b"id_code,diagnosis\n30,even\n31,even\n32,even\n33,even\n")
    info = import_images("x", photos.root)
    check(info)
    told = "\n".join(info.notes)
    assert "Labels were read from train.csv (image: 'id_code', label: 'diagnosis')." in told
    assert "sample_submission.csv was not used: it is an example of a submission" in told
    assert "test.csv was not used: it has no column for the label" in told
    assert (
        "Images that train.csv does not list were not imported: 4, for example 'test_images/30.png'" in told
    )


def test_images_that_a_table_does_not_list_are_said(photos) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS), "40.png", "elsewhere/41.png")
    path = photos.write("labels.csv", rows("{n}.png,{l}").encode())
    all_of_them, beside = "2, for example '40.png', 'elsewhere/41.png'", "1, for example '40.png'"
    for source, told in ((photos.root, all_of_them), (path, beside)):
        (note,) = [note for note in import_images("x", source, replace=True).notes if "list" in note]
        assert note == f"Images that labels.csv does not list were not imported: {told}."


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_whole_numbers_with_and_without_decimals_are_one_class(photos, kind: str) -> None:
    photos.add(*(f"{n}.png" for n in range(8)))
    if kind == "csv":
        text = "".join(f"{n}.png,{n % 2}{'.0' if n > 3 else ''}\n" for n in range(8))
        photos.write("labels.csv", ("file,label\n" + text + "9.png,\n").encode())
    else:
        for name, numbers, one in (("train", range(4), 1), ("test", range(4, 8), 1.0)):
            table = {"file": [f"{n}.png" for n in numbers], "label": [n % 2 * one for n in numbers]}
            parquet.write_table(pa.table(table), photos.root / f"{name}.parquet")
    info = import_images("x", photos.root)
    assert info.classes == ("0", "1")
    assert "Labels written with decimals were read as whole numbers: '0.0', '1.0'." in info.notes


def test_a_missing_number_is_no_class(photos) -> None:
    photos.add(*(f"{n}.png" for n in range(8)))
    values = [float(n % 2) for n in range(7)] + [float("nan")]
    files = [f"{n}.png" for n in range(8)]
    parquet.write_table(pa.table({"file": files, "label": values}), photos.root / "a.parquet")
    info = import_images("x", photos.root)
    assert (info.classes, dict(info.problems)) == (("0", "1"), {"7.png": "has no label"})


def test_an_image_with_two_labels_is_left_out_and_said(photos) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS))
    photos.write("labels.csv", (rows("{n}.png,{l}") + "10.png,odd\n").encode())
    info = import_images("x", photos.root)
    check(info, 11)
    assert dict(info.problems) == {"10.png": "is listed with different labels: 'even' and 'odd'"}


def test_an_image_in_two_sets_is_kept_for_testing_and_said(photos) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS))
    photos.write("train.csv", rows("{n}.png,{l}").encode())
    photos.write("test.csv", b"file,label\n10.png,even\n11.png,odd\n")
    info = import_images("x", photos.root)
    assert info.counts["test"] == (1, 1)
    assert info.size == 12
    assert dict(info.problems)["10.png"] == "is listed for several sets; it was put in test"


BOXES = "filename,width,height,class,xmin,ymin,xmax,ymax"


def test_a_folder_of_text_beside_the_classes_is_no_class(photos) -> None:
    photos.add(*(f"{label}/{n}.png" for label in "ab" for n in NUMBERS))
    photos.write("lists/train.txt", b"a/0.png")
    photos.write("docs/license.md", b"MIT")
    info = import_images("x", photos.root)
    assert list(info.classes) == ["a", "b"]
    assert info.problems == ()
    assert "No class was made of folders that hold text and no image: 'docs', 'lists'." in info.notes


def test_a_table_of_bounding_boxes_is_recognised(photos) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS))
    text = rows("{n}.png,8,8,{l},0,0,4,4", BOXES) + "12.png,8,8,even,1,1,3,3\n13.png,8,8,even,1,1,3,3\n"
    photos.write("boxes.csv", text.encode())
    info = import_images("x", photos.root)
    check(info, 11)
    (note,) = [note for note in info.notes if "object detection" in note]
    assert note == (
        "boxes.csv has bounding boxes, as for object detection: the columns xmin, ymin, xmax, ymax were not "
        "used, and every image is taken whole. Images with several boxes of their class: 1. "
        "Images with boxes of different classes, which were left out: 1."
    )
    assert dict(info.problems) == {"13.png": "is listed with different labels: 'even' and 'odd'"}


def test_a_detection_set_without_one_class_an_image_is_refused(photos, nothing_written) -> None:
    photos.add(*(f"{n}.png" for n in NUMBERS))
    text = rows("{n}.png,8,8,cat,0,0,4,4\n{n}.png,8,8,dog,0,0,4,4", BOXES)
    photos.write("boxes.csv", text.encode())
    with pytest.raises(ImportRefused, match=r"boxes\.csv is for object detection: every image has boxes of"):
        import_images("x", photos.root)
    nothing_written()


@pytest.mark.parametrize(
    "name", ["labels.txt", "train.txt", "annotations.xlsx", "lists/train.txt", "meta/split1/imagelabels.json"]
)
def test_labels_in_a_file_that_is_no_table_are_named_with_what_is_expected(
    name: str, photos, nothing_written
) -> None:
    photos.add(*(f"images/{n}.png" for n in NUMBERS))
    photos.write(name, rows("images/{n}.png {l}", "").encode())
    expected = rf"'images'\. For example, '{name}' was not used: labels are read from tables \(\.csv, \.tsv, "
    with pytest.raises(ImportRefused, match=expected):
        import_images("x", photos.root)
    nothing_written()


ONE_HOT = "file,even,odd\n" + "".join(f"{n}.png,{1 - n % 2},{n % 2}\n" for n in NUMBERS)
REFUSALS = {
    "one-hot": (
        ONE_HOT,
        r"its columns 'even', 'odd' hold 1 for the class of an image and 0 for the others\. "
        "Expected: one column called label with the name of the class",
    ),
    "unclear": (
        rows("{n}.png,{l},{n}", "pic,kind,age"),
        r"labels\.csv cannot be used: it is not clear which column is the label\. "
        r"Received the columns: 'pic', 'kind', 'age'\. Name it, as label=age\.",
    ),
    "no label": (
        rows("{n}.png", "pic"),
        r"For example, 'labels\.csv' was not used: it has no column for the label",
    ),
    "no image": (
        "file,label\ngone.png,a\naway.png,b\n",
        r"labels\.csv names no image of photos with a label\. For example, 'gone\.png' is not in the "
        r"folder\. "
        r"Expected: paths below photos, or names of images in it, with or without suffix\. "
        r"Images there: 'images/10\.png', 'images/11\.png', 'images/12\.png' and 9 more\.",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_names_the_table_and_what_was_expected(photos, nothing_written, kind: str) -> None:
    text, message = REFUSALS[kind]
    photos.add(*(f"images/{n}.png" for n in NUMBERS))
    photos.write("labels.csv", text.encode())
    with pytest.raises(ImportRefused, match=message):
        import_images("x", photos.root)
    nothing_written()


def test_an_unclear_column_and_one_without_header_can_be_named(photos) -> None:
    photos.add(*(f"images/{n}.png" for n in NUMBERS))
    photos.write("labels.csv", rows("{n}.png,{l},{n}", "").encode())
    check(import_images("x", photos.root, columns={"label": "2"}))


def test_a_table_in_another_encoding_is_read_when_it_is_named(photos) -> None:
    photos.add(*(f"{n}.png" for n in range(4)))
    text = "file,label\n" + "".join(f"{n}.png,{('Bär', 'Löwe')[n % 2]}\n" for n in range(4))
    photos.write("labels.csv", text.encode("cp1252"))
    with pytest.raises(
        ImportRefused, match=r"labels\.csv cannot be used: it is not UTF-8 text .* Give its encoding"
    ):
        import_images("x", photos.root)
    assert import_images("x", photos.root, encoding="cp1252").classes == ("Bär", "Löwe")
    with pytest.raises(ImportRefused, match=r"labels\.csv cannot be used: it cannot be read as klingon"):
        import_images("y", photos.root, encoding="klingon")


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        (
            None,
            r"it is not UTF-8 text \(invalid start byte at byte 0\)\. Give its encoding, or save it as UTF-8",
        ),
        ("euc_jp", "it cannot be read as euc_jp"),
        ("klingon", "it cannot be read as klingon"),
        ("latin-1", r"there is no column '画像'.* It was read as latin-1; is that its encoding\?"),
    ],
)
def test_a_column_in_an_encoding_that_was_not_named_is_no_missing_column(
    photos, encoding: str | None, sentence: str
) -> None:
    photos.add("a.png", "b.png")
    photos.write("labels.csv", "画像,種類\na.png,犬\nb.png,猫\n".encode("cp932"))
    columns = {"image": "画像", "label": "種類"}
    with pytest.raises(ImportRefused, match=sentence) as refused:
        import_images("x", photos.root, columns=columns, encoding=encoding)
    assert len(str(refused.value).splitlines()) == 1
    assert "�" not in str(refused.value)


@pytest.mark.parametrize("long_rows", [0, 6])  # 6: more bytes than the beginning that is looked at
def test_the_named_encoding_also_finds_columns_and_images(photos, long_rows: int) -> None:
    names = [f"{name}{n}" for n in range(2) for name in ("猫", "犬")]
    photos.add(*(f"images/{name}.png" for name in names))
    lines = [f"{name},{name[0]},猫" for name in names] + [f"none.png,x,{'猫' * 100_000}"] * long_rows
    photos.write("labels.csv", "\n".join(["image,label,notes", *lines]).encode("cp932"))
    assert import_images("x", photos.root, encoding="cp932").size == 4
    photos.write("labels.csv", "\n".join(["画像,分類,notes", *lines]).encode("cp932"))
    columns = {"image": "画像", "label": "分類"}
    info = import_images("y", photos.root, encoding="cp932", columns=columns)
    assert info.classes == ("犬", "猫")
    with pytest.raises(ImportRefused, match=r"there is no column '画'\. Columns: '画像', '分類', 'notes'"):
        import_images("z", photos.root, encoding="cp932", columns={"image": "画"})


@pytest.mark.parametrize(
    "text", ["id,name\n0,cat\n1,dog\n", "name,legs\ncat,4\ndog,4\n", "name,id\ncat,0\ndog,1\n"]
)
def test_a_table_about_the_classes_does_not_hide_their_folders(photos, text: str) -> None:
    photos.add(*(f"cat/{n}.png" for n in range(6)), *(f"dog/{n + 6}.png" for n in range(6)))
    photos.write("classes.csv", text.encode())
    assert import_images("x", photos.root).size == 12


@pytest.mark.parametrize(
    "pattern",
    [
        "{part}/{label}/{n}.png",
        "{part}_images/{label}/{n}.png",
        "{part}ing_set/{part}ing_set/{label}/{n}.png",
        "seg_{part}/seg_{part}/{label}/{n}.png",
        "{label}/{part}/{n}.png",
        "images/{part}/{label}/{n}.png",
    ],
)
def test_folders_of_parts_are_known_by_their_usual_names(photos, pattern: str) -> None:
    for part in ("train", "test"):
        for label in ("a", "b"):
            photos.add(*(pattern.format(part=part, label=label, n=n) for n in range(3)))
    info = import_images("x", photos.root)
    assert info.classes == ("a", "b")
    assert info.counts == {"train": (3, 3), "validation": (0, 0), "test": (3, 3)}


def test_a_table_of_a_large_folder_does_not_list_it(photos, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.add(*(f"images/{n}.png" for n in NUMBERS))
    path = photos.write("labels.csv", rows("images/{n}.png,{l}").encode())

    def walk(root: Path, allowed: object) -> None:
        raise AssertionError(f"{root} was listed")

    monkeypatch.setattr("core.importing.list_source.walk", walk)
    check(import_images("x", path))


@pytest.mark.parametrize("name", ["train_test_split.txt", "meta/test.txt", "split/test.json"])
def test_a_list_of_a_part_that_is_not_used_is_said(photos, name: str) -> None:
    photos.add(*(f"images/{label}/{n}.png" for label in ("001.Albatross", "002.Gull") for n in range(3)))
    photos.write("classes.txt", b"1 001.Albatross\n2 002.Gull\n")
    photos.write(name, b"1 0\n2 1\n")
    info = import_images("x", photos.root)
    assert info.classes == ("001.Albatross", "002.Gull")
    assert f"Lists of training or test images were not used: {name!r}." in info.notes
