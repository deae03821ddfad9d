"""A table of files, labels, parts and groups makes a dataset, and so does Parquet with the images inside."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from core import datasets
from core.datasets.splits import split
from core.importing.importer import ImportRefused, import_images
from core.importing.walk import LEADS_OUT

pytestmark = pytest.mark.slow


@pytest.fixture
def listed(photos):
    """Twelve images in one folder, named by nothing but a number."""
    photos.add(*(f"images/{i}.png" for i in range(12)))
    return photos


def table(photos, text: str, name: str = "labels.csv"):
    return photos.write(name, text.encode())


LABELS = "file,label\n" + "".join(f"images/{i}.png,{'even' if i % 2 == 0 else 'odd'}\n" for i in range(12))


def check_labels(name: str) -> None:
    dataset = datasets.load(name)
    for row, source in enumerate(dataset.source_names):
        number = int(source.split("/")[-1].removesuffix(".png"))
        assert dataset.info.classes[dataset.labels[row]] == ("odd" if number % 2 else "even")


def test_a_table_is_read_itself_from_its_folder_and_from_an_archive(listed):
    path = table(listed, LABELS)
    infos = [
        import_images(name, at) for name, at in (("t", path), ("f", listed.root), ("z", listed.zipped()))
    ]
    assert [info.classes for info in infos] == [("even", "odd")] * 3
    assert len({info.fingerprint for info in infos}) == 1
    assert "Labels were read from labels.csv." in infos[0].notes
    check_labels("z")


@pytest.mark.parametrize(
    "text",
    [
        LABELS.replace(",", ";"),
        LABELS.replace(",", "\t"),
        "\ufeff" + LABELS.replace("\n", "\r\n"),
        LABELS.replace("file,label", "Filename, Class")
        .replace("images/", '"images/')
        .replace(".png", '.png"'),
        LABELS.replace("images/", "./images/"),
        LABELS.replace("images/", "images\\"),
    ],
    ids=["semicolons", "tabs", "as Excel writes it", "quotes", "dots", "backslashes"],
)
def test_tables_of_every_dialect_are_read(listed, text):
    table(listed, text)
    assert import_images("x", listed.root).size == 12
    check_labels("x")


def test_unusual_columns_are_named_by_hand(listed):
    table(listed, LABELS.replace("file,label", "bild,sorte"))
    info = import_images("x", listed.root, columns={"image": "bild", "label": "sorte"})
    assert info.classes == ("even", "odd")


def test_a_part_column_names_the_parts(listed):
    rows = [f"images/{i}.png,{'ab'[i % 2]},{('train', 'val', 'Test')[i // 4]}" for i in range(12)]
    table(listed, "\n".join(["file,label,split", *rows]))
    assert import_images("x", listed.root).counts == dict.fromkeys(datasets.SUBSETS, (2, 2))


def test_tables_named_for_the_parts_name_them(listed):
    for part, start in (("train", 0), ("test", 8)):
        rows = [f"images/{i}.png,{'ab'[i % 2]}" for i in range(start, start + 4)]
        table(listed, "\n".join(["file,label", *rows]), f"{part}.csv")
    counts = import_images("x", listed.root).counts
    assert (counts["train"], counts["test"]) == ((2, 2), (2, 2))


def test_a_group_is_whole_in_the_test_set_and_in_every_split(photos):
    photos.add(*(f"{i}.png" for i in range(60)))
    rows = [f"{i}.png,{'ab'[i % 2]},patient {i // 4}" for i in range(60)]
    table(photos, "\n".join(["file,label,patient", *rows]))
    info = import_images("x", photos.root, test_fraction=0.2)
    dataset = datasets.load("x")
    assert info.grouped
    assert info.subset_size("test") == 12  # 20 % of 60, in groups of 4
    parts = split(dataset, validation_fraction=0.25)
    groups = [set(dataset.groups[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 15


def test_rows_that_cannot_be_used_are_named(listed, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    (listed.root / "images" / "out.png").symlink_to(tmp_path / "outside.png")
    files = [
        "images/1.png",
        "images/gone.png",
        "../outside.png",
        "/etc/passwd",
        "images/out.png",
        "",
        "images",
    ]
    table(listed, LABELS + "".join(f"{file},odd\n" for file in files) + "images/3.png,\n")
    info = import_images("x", listed.root)
    assert info.size == 12
    assert [tuple(problem) for problem in info.problems] == [
        ("images/1.png", "is listed twice"),
        ("images/gone.png", "is not in the folder"),
        ("../outside.png", "has a path that leads out of the folder"),
        ("/etc/passwd", "has a path that leads out of the folder"),
        ("images/out.png", LEADS_OUT),
        ("a row of labels.csv", "names no file"),
        ("images", "is not in the folder"),
        ("images/3.png", "has no label"),
    ]
    assert import_images("y", listed.root / "labels.csv").problems == info.problems


def test_files_that_an_archive_lacks_are_named(listed):
    table(listed, LABELS + "images/99.png,odd\n")
    assert dict(import_images("x", listed.zipped()).problems) == {"images/99.png": "is not in the archive"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no column for the image .* Received the columns: none"),
        (b"a,b\n1,2\n", "has no column for the image .* Received the columns: 'a', 'b'"),
        (b"file\n1.png\n", "has no column for the label"),
        (b"file,label\n\xff\xfe,x\n", "is not UTF-8 text"),
        (b'file,label\n"1.png,x\n', "is not a table"),
        (b"file,label,split\n1.png,x,exam\n", "a set must be one of .*Received: 'exam'"),
    ],
    ids=["empty", "no columns", "no label", "no text", "no table", "no part"],
)
def test_a_table_that_is_none_is_refused(photos, nothing_written, data, message):
    with pytest.raises(ImportRefused, match=r"The table labels\.csv cannot be used: .*" + message):
        import_images("x", photos.write("labels.csv", data))
    nothing_written()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "kind"}, "there is no column 'kind'"),
        ({"colour": "file"}, "`columns` may name image, label"),
    ],
)
def test_columns_that_do_not_exist_are_refused(listed, columns, message):
    table(listed, LABELS)
    with pytest.raises(ImportRefused, match=message):
        import_images("x", listed.root, columns=columns)


def test_another_table_beside_class_folders_is_passed_over(photos):
    photos.pair()
    table(photos, "name,price\ncat,3\n", "prices.csv")
    assert import_images("x", photos.root).classes == ("cat", "dog")


def test_parquet_of_file_and_label_is_read(listed):
    files = [f"images/{i}.png" for i in range(12)]
    labels = ["odd" if i % 2 else "even" for i in range(12)]
    parquet.write_table(pa.table({"path": files, "category": labels}), listed.root / "labels.parquet")
    import_images("x", listed.root)
    check_labels("x")
    import_images("z", listed.zipped())
    check_labels("z")


def exported(photos, path: str, numbers: range, classes: tuple[str, ...] = ("even", "odd")) -> None:
    """Write images as a Hugging Face export: bytes and path in a struct, class names beside the schema."""
    images = [{"bytes": (photos.root / f"images/{i}.png").read_bytes(), "path": f"{i}.png"} for i in numbers]
    features = {"image": {"_type": "Image"}, "label": {"names": list(classes), "_type": "ClassLabel"}}
    schema = pa.schema(
        [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    data = pa.table({"image": images, "label": [i % 2 for i in numbers]}, schema=schema)
    (photos.root / path).parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(data, photos.root / path, row_group_size=3)


def test_a_hugging_face_export_is_read(listed, tmp_path):
    exported(listed, "hf/data/train-00000-of-00002.parquet", range(5))
    exported(listed, "hf/data/train-00001-of-00002.parquet", range(5, 8))
    exported(listed, "hf/data/test-00000-of-00001.parquet", range(8, 12))
    info = import_images("x", listed.root / "hf")
    assert info.classes == ("even", "odd")
    assert info.counts == {"train": (4, 4), "validation": (0, 0), "test": (2, 2)}
    check_labels("x")
    dataset = datasets.load("x")
    for row, name in enumerate(dataset.source_names):
        assert (dataset.images[row] == np.asarray(Image.open(listed.root / "images" / name))).all()


def test_one_parquet_file_with_images_and_plain_columns_is_read(listed):
    data = [(listed.root / f"images/{i}.png").read_bytes() for i in range(12)]
    data[3], data[4] = b"no image", None
    parquet.write_table(
        pa.table({"img": data, "label": [i % 2 for i in range(12)]}), listed.root / "all.parquet"
    )
    info = import_images("x", listed.root / "all.parquet")
    assert (info.classes, info.size) == (("0", "1"), 10)
    assert [tuple(problem) for problem in info.problems] == [
        ("all.parquet row group 0 row 3", "is not an image of a format that is read here"),
        ("all.parquet row group 0 row 4", "has no image bytes"),
    ]


def test_images_without_a_label_in_an_export_are_named(listed):
    exported(listed, "hf/train.parquet", range(12), classes=("even",))
    with pytest.raises(ImportRefused, match=r"at least 2 classes.*'even'"):
        import_images("x", listed.root / "hf")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_parquet_file_is_refused(photos, nothing_written, data):
    with pytest.raises(ImportRefused, match="is not a Parquet file, or it is damaged"):
        import_images("x", photos.write("all.parquet", data))
    nothing_written()


def test_parquet_with_images_inside_an_archive_asks_to_unpack_it(listed, nothing_written):
    exported(listed, "train.parquet", range(12))
    with pytest.raises(ImportRefused, match="its images cannot be read inside an archive"):
        import_images("x", listed.zipped())
    nothing_written()
