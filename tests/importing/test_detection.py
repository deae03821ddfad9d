"""A dataset for object detection is recognised and said, and never imported with its folders as classes."""

from __future__ import annotations

import pytest

from core.importing.importer import ImportRefused, import_images

SETS = {
    "Pascal VOC": (
        ["JPEGImages/{n}.jpg", "SegmentationClass/{n}.png"],
        ["Annotations/{n}.xml"],
    ),
    "COCO": (["train2017/{n}.jpg", "val2017/{n}.jpg"], ["annotations/instances_train2017.json"]),
    "COCO in parts": (["train/{n}.jpg", "valid/{n}.jpg"], ["train/_annotations.coco.json"]),
    "YOLO": (["images/train/{n}.jpg", "images/val/{n}.jpg"], ["labels/train/{n}.txt", "data.yaml"]),
    "YOLO in parts": (["train/images/{n}.jpg", "valid/images/{n}.jpg"], ["train/labels/{n}.txt"]),
    "YOLO beside the images": (["a/{n}.jpg"], ["a/{n}.txt", "a/classes.txt"]),
    "YOLO without training images": (["test/images/{n}.jpg"], ["test/labels/{n}.txt"]),
}


def fill(photos, kind: str) -> None:
    images, boxes = SETS[kind]
    for number in range(3):
        photos.add(*(path.format(n=number) for path in images))
        for path in boxes:
            photos.write(path.format(n=number), b"0 0.5 0.5 0.1 0.1")


@pytest.mark.parametrize("kind", SETS)
def test_a_detection_set_is_recognised_and_refused(photos, nothing_written, kind: str) -> None:
    fill(photos, kind)
    for source in (photos.root, photos.zipped()):
        with pytest.raises(
            ImportRefused,
            match=rf"is a dataset for object detection \({kind.split()[0]}.*Expected: a folder for",
        ):
            import_images("x", source)
    nothing_written()


def test_boxes_beside_images_in_class_folders_are_said(photos) -> None:
    photos.pair()
    for label in ("cat", "dog"):
        for number in range(4):
            photos.write(f"{label}/{number}.xml", b"<annotation/>")
    photos.write("cat/bad.png", b"x")
    info = import_images("x", photos.root)
    assert (info.classes, info.size) == (("cat", "dog"), 8)
    assert any(note.startswith("Boxes for object detection (Pascal VOC") for note in info.notes)


@pytest.mark.parametrize("extra", ["notes.xml", "labels.json", "cat/0.txt", "data.yaml"])
def test_other_files_make_no_detection_set(photos, extra: str) -> None:
    photos.pair()
    photos.write(extra, b"x")
    assert not any("detection" in note for note in import_images("x", photos.root).notes)
