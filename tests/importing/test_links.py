"""Symbolic links in a source: those under its folder, or into a folder that was allowed, are followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import datasets
from core.importing import walk
from core.importing.importer import ImportRefused, import_images


@pytest.fixture
def originals(photos_at, tmp_path: Path) -> Path:
    """Four images of each of two classes, outside the folder that is imported."""
    photos = photos_at(tmp_path / "originals")
    photos.pair()
    return photos.root


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def names(dataset: str) -> list[str]:
    return sorted(datasets.load(dataset).source_names.tolist())


def test_parts_made_of_links_to_images_are_read(photos, nothing_written):
    photos.add(*(f"all/{label}{i}.png" for label in ("cat", "dog") for i in range(4)))
    for label in ("cat", "dog"):
        for number in range(4):
            part = "test" if number == 3 else "train"
            link(photos.root / part / label / f"{number}.png", photos.root / "all" / f"{label}{number}.png")
    photos.add("all/forgotten.png")
    info = import_images("x", photos.root)
    assert (info.subset_size("train"), info.subset_size("test")) == (6, 2)
    assert [tuple(problem) for problem in info.problems] == [
        ("all/forgotten.png", "lies outside the train, validation and test folders")
    ]


def test_parts_made_of_links_to_folders_are_read(photos):
    photos.add(
        *(f"all/{part}-{label}/{i}.png" for part in "ab" for label in ("cat", "dog") for i in range(2))
    )
    for part, name in (("a", "train"), ("b", "val")):
        for label in ("cat", "dog"):
            link(photos.root / name / label, photos.root / "all" / f"{part}-{label}")
    info = import_images("x", photos.root, test_fraction=0.5)
    assert info.subset_size("validation") == 4
    assert info.problems == ()
    assert "train/cat/0.png" in names("x")


@pytest.mark.parametrize("kind", ["folders", "images", "one part", "wrapped"])
def test_images_that_links_lead_to_are_read_once_by_the_names_of_the_links(photos, kind: str) -> None:
    photos.add(*(f"pool/{label}{i}/0.png" for label in ("cat", "dog") for i in range(4)))
    for label in ("cat", "dog"):
        for number in range(4):
            target = photos.root / "pool" / f"{label}{number}"
            match kind:
                case "folders":
                    link(photos.root / label / str(number), target)
                case "images":
                    link(photos.root / label / f"{number}.png", target / "0.png")
                case "one part":  # beside the pool, a single part would be taken for a class
                    link(photos.root / "train" / label / f"{number}.png", target / "0.png")
                case "wrapped":
                    link(photos.root / "classes" / label / str(number), target)
    info = import_images("x", photos.root)
    assert (info.classes, info.size, info.problems) == (("cat", "dog"), 8, ())
    assert not [name for name in names("x") if name.startswith("pool")]
    assert (
        "Images that symbolic links lead to were read once, by the names of the links: 8, for example "
        "'pool/cat0/0.png', 'pool/cat1/0.png', 'pool/cat2/0.png' and 5 more."
    ) in info.notes


def test_links_to_a_whole_class_beside_it_are_read_once(photos) -> None:
    photos.add(*(f"pool/{label}/{i}.png" for label in ("cat", "dog") for i in range(4)))
    for label in ("cat", "dog"):
        link(photos.root / label, photos.root / "pool" / label)
    info = import_images("x", photos.root)
    assert (info.classes, info.size) == (("cat", "dog"), 8)


def test_a_table_may_name_an_image_by_its_own_path_or_by_a_link(photos) -> None:
    photos.add(*(f"pool/{i}.png" for i in range(8)))
    for number in range(8):
        link(photos.root / "linked" / f"{number}.png", photos.root / "pool" / f"{number}.png")
    for folder in ("pool", "linked"):
        rows = [f"{folder}/{i}.png,{'ab'[i % 2]}" for i in range(8)]
        photos.write("labels.csv", "\n".join(["file,label", *rows]).encode())
        info = import_images(folder, photos.root)
        assert (info.size, info.problems) == (8, ())


def test_of_two_classes_with_links_to_each_other_none_loses_its_own_images(photos) -> None:
    photos.pair()
    link(photos.root / "cat" / "dogs", photos.root / "dog")
    link(photos.root / "dog" / "cats", photos.root / "cat")
    import_images("x", photos.root)
    assert {f"{label}/{i}.png" for label in ("cat", "dog") for i in range(4)} <= set(names("x"))


def test_links_out_of_the_folder_are_read_where_the_person_allows_it(photos, originals):
    for label in ("cat", "dog"):
        link(photos.root / label, originals / label)
    with pytest.raises(ImportRefused, match=f"'cat' {walk.LEADS_OUT}"):
        import_images("x", photos.root)
    info = import_images("x", photos.root, links=[originals])
    assert (info.size, info.problems) == (8, ())


def test_only_the_allowed_folder_is_open(photos, originals, tmp_path):
    photos.pair()
    (tmp_path / "originals-private").mkdir()
    (tmp_path / "originals-private" / "secret.png").write_bytes((originals / "cat/0.png").read_bytes())
    link(photos.root / "cat" / "secret.png", tmp_path / "originals-private" / "secret.png")
    link(originals / "way-out", tmp_path / "originals-private")
    link(photos.root / "dog" / "more", originals)
    info = import_images("x", photos.root, links=[originals])
    assert info.size == 8 + 8
    assert dict(info.problems) == {
        "cat/secret.png": walk.LEADS_OUT,
        "dog/more/way-out": walk.LEADS_OUT,
    }


def test_a_table_may_name_allowed_links(photos, originals):
    rows = [f"{label}{i}.png,{label}" for label in ("cat", "dog") for i in range(4)]
    for label in ("cat", "dog"):
        for number in range(4):
            link(photos.root / f"{label}{number}.png", originals / label / f"{number}.png")
    photos.write("labels.csv", "\n".join(["file,label", *rows]).encode())
    with pytest.raises(ImportRefused, match="is a link that leads out of the folder"):
        import_images("x", photos.root)
    assert import_images("x", photos.root, links=[originals]).size == 8
    assert import_images("y", photos.root / "labels.csv", links=[originals]).size == 8


def test_loops_of_links_end_and_are_named(photos):
    photos.pair()
    link(photos.root / "cat" / "itself", photos.root / "cat" / "itself")
    link(photos.root / "cat" / "above", photos.root)
    link(photos.root / "cat" / "dogs", photos.root / "dog")
    link(photos.root / "dog" / "cats", photos.root / "cat")
    info = import_images("x", photos.root)
    assert dict(info.problems) == {
        "cat/itself": "cannot be opened (Too many levels of symbolic links)",
        "cat/above": walk.IN_A_LOOP,
        "cat/dogs/cats": walk.IN_A_LOOP,
        "dog/cats/above": walk.IN_A_LOOP,
        "dog/cats/dogs": walk.IN_A_LOOP,
        "dog/cats/itself": "cannot be opened (Too many levels of symbolic links)",
    }


def test_links_that_multiply_are_each_followed_once(photos):
    # Each of 40 folders links twice to the next one: 2 to the power of 40 ways down.
    photos.pair()
    for depth in range(40):
        for name in ("left", "right"):
            link(photos.root / f"deep{depth}" / name, photos.root / f"deep{depth + 1}")
    photos.add("deep40/0.png")
    found = walk.walk(photos.root)
    assert len(found.files) < 100
    assert walk.SECOND_LINK in {reason for _, reason in found.refused}


def test_links_into_nothing_and_for_an_archive_are_refused(photos, tmp_path, nothing_written):
    photos.pair()
    with pytest.raises(ImportRefused, match=r"`links` must name folders .* Received: .*missing"):
        import_images("x", photos.root, links=[tmp_path / "missing"])
    with pytest.raises(ImportRefused, match=r"links in an archive are not read\. Received: photos\.zip"):
        import_images("x", photos.zipped(), links=[tmp_path])
    nothing_written()
