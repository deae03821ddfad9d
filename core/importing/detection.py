"""Recognise datasets for object detection, whose images have boxes and no class of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from core.importing.layout import looks_like_image

# Standard folders of such datasets, which are not classes.
NO_CLASS = re.compile(
    r"(jpeg)?images?\d*|segmentation\w*|(train|val|valid|test|unlabeled)\d*|labels|masks|data"
)
YOLO_FILES = frozenset(("data.yaml", "data.yml", "obj.names", "obj.data", "classes.txt"))


def detection_format(names: Sequence[str]) -> str:
    """Return the format in which files of the source describe boxes, with an example; empty for none."""
    images = {_stem(name) for name in names if looks_like_image(name)}
    voc = [name for name in names if name.lower().endswith(".xml") and _stem(name) in images]
    yolo = [name for name in names if name.lower().endswith(".txt") and _stem(name) in images]
    if images and 2 * len(voc) >= len(images):
        return f"Pascal VOC, {voc[0]!r}"
    is_yolo = any(name.rpartition("/")[2].lower() in YOLO_FILES for name in names) or any(
        "labels" in name.lower().split("/") for name in yolo
    )
    if images and is_yolo and 2 * len(yolo) >= len(images):
        return f"YOLO, {yolo[0]!r}"
    coco = [name for name in names if _is_coco(name.lower())]
    return f"COCO, {coco[0]!r}" if images and coco else ""


def has_classes(labels: Collection[str]) -> bool:
    """Return whether folders are named as classes, and not as the standard folders of a detection dataset."""
    return sum(NO_CLASS.fullmatch(label.casefold()) is None for label in labels) > 1


def _is_coco(name: str) -> bool:
    *folders, file = name.split("/")
    if not file.endswith(".json"):
        return False
    return (
        file.startswith("instances_") or file.endswith("_annotations.coco.json") or "annotations" in folders
    )


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]
