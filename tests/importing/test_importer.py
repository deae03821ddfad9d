"""An import makes of a folder or archive exactly what lies in it, or nothing."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from core import datasets
from core.importing.importer import ImportRefused, import_images

pytestmark = pytest.mark.slow


def test_a_folder_a_class_becomes_a_dataset(photos):
    photos.add(*(f"cat/{i}.png" for i in range(10)), *(f"dog/{i}.png" for i in range(20)))
    info = import_images("pets", photos.root)
    assert info.classes == ("cat", "dog")
    assert info.shape == (8, 8, 3)
    # 15 % of 10 and 20, rounded half up
    assert info.counts == {"train": (8, 17), "validation": (0, 0), "test": (2, 3)}
    assert "15% of every class" in " ".join(info.notes)
    assert datasets.info("pets") == info
    assert "pets" in datasets.names()


def test_pixels_labels_and_names_belong_together(photos):
    from PIL import Image

    photos.add(*(f"{label}/{i}.png" for label in "ab" for i in range(40)))
    import_images("letters", photos.root, workers=2)
    dataset = datasets.load("letters")
    assert isinstance(dataset.images, np.memmap)
    assert len(dataset) == 80
    for row, name in enumerate(dataset.source_names):
        assert (dataset.images[row] == np.asarray(Image.open(photos.root / name))).all()
        assert dataset.info.classes[dataset.labels[row]] == name[0]


@pytest.mark.parametrize("prefix", ["", "wrapped/", "wrapped/twice/"])
def test_an_archive_is_read_like_its_folder(photos, prefix):
    for part in ("train", "validation", "test"):
        photos.add(*(f"{part}/{label}/{i}.png" for label in "ab" for i in range(3)))
    photos.write("README.txt", b"about these images")
    folder = import_images("folder", photos.root)
    archive = import_images("archive", photos.zipped(prefix))
    assert folder.counts == {"train": (3, 3), "validation": (3, 3), "test": (3, 3)}
    assert (archive.counts, archive.classes, archive.fingerprint) == (
        folder.counts,
        folder.classes,
        folder.fingerprint,
    )
    assert folder.problems == archive.problems == ()


def test_parts_go_by_their_other_names_too(photos):
    photos.add(*(f"{part}/{label}/0.png" for part in ("Training", "val", "testing") for label in "ab"))
    assert import_images("x", photos.root).counts == dict.fromkeys(datasets.SUBSETS, (1, 1))


def test_a_train_folder_alone_gets_a_test_set_held_out(photos):
    photos.add(*(f"train/{label}/{i}.png" for label in "ab" for i in range(4)))
    info = import_images("x", photos.root, test_fraction=0.5)
    assert info.counts == {"train": (2, 2), "validation": (0, 0), "test": (2, 2)}


def test_the_seed_of_the_import_fixes_the_test_set(photos):
    photos.add(*(f"{label}/{i}.png" for label in "ab" for i in range(20)))
    one, same, other = (
        import_images(name, photos.root, seed=seed).fingerprint
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert one == same
    assert one != other


def test_classes_are_ordered_as_people_count(photos):
    photos.add(*(f"{label}/{i}.png" for label in ("10", "9", "2", "b", "A") for i in range(2)))
    assert import_images("x", photos.root).classes == ("2", "9", "10", "A", "b")


def test_images_deep_in_a_class_folder_belong_to_the_class(photos):
    photos.add("cat/kittens/small/1.png", "cat/2.png", "dog/3.png", "dog/old/4.png")
    info = import_images("x", photos.root)
    assert info.classes == ("cat", "dog")
    assert info.size == 4


def test_size_defaults_to_96_when_images_differ(photos):
    photos.pair()
    photos.add("cat/wide.png", size=(8, 16))
    info = import_images("x", photos.root)
    assert info.shape == (96, 96, 3)
    assert any("resized to 96×96" in note for note in info.notes)
    assert sorted(map(tuple, datasets.load("x").sizes.tolist()))[-1] == (8, 16)


def test_large_images_that_are_alike_do_not_keep_their_size(photos):
    photos.add("cat/1.jpg", "dog/1.jpg", size=(300, 300))
    assert import_images("x", photos.root).shape == (96, 96, 3)


def test_one_odd_image_that_the_first_look_missed_is_seen(photos, monkeypatch):
    monkeypatch.setattr("core.importing.sizing.SAMPLE_SIZE", 2)  # the first and the last
    photos.add(*(f"{label}/{i}.png" for label in "ab" for i in range(4)), mode="L")
    photos.add("a/3.png", size=(8, 9), mode="L")
    assert import_images("sizes", photos.root).shape == (96, 96, 1)
    photos.add("a/3.png", mode="RGB")
    assert import_images("colours", photos.root).shape == (8, 8, 3)


def test_grey_images_keep_one_channel_unless_asked(photos):
    photos.add("a/1.png", "b/1.png", mode="L")
    photos.add("a/2.png", "b/2.png", mode="I;16")
    assert import_images("grey", photos.root).shape == (8, 8, 1)
    assert import_images("rgb", photos.root, channels=3).shape == (8, 8, 3)


def test_size_and_policy_are_as_asked(photos):
    photos.pair()
    info = import_images("x", photos.root, size=(12, 16), policy="pad", channels=1)
    assert info.shape == (12, 16, 1)
    assert info.options["policy"] == "pad"


def test_one_class_is_mirrored_onto_the_other(photos):
    from PIL import Image

    photos.add(*(f"{label}/{i}.png" for label in ("left", "right", "both") for i in range(2)))
    info = import_images("hands", photos.root, mirror=("right", "left"))
    assert info.classes == ("both", "left")
    dataset = datasets.load("hands")
    for row, name in enumerate(dataset.source_names):
        image = np.asarray(Image.open(photos.root / name))
        expected = image[:, ::-1] if name.startswith("right/") else image
        assert (dataset.images[row] == expected).all()


def test_progress_rises_to_the_total_in_the_calling_thread(photos):
    photos.pair()
    told = []
    import_images("x", photos.root, progress=lambda *values: told.append((threading.get_ident(), *values)))
    assert {thread for thread, *_ in told} == {threading.get_ident()}
    assert told[-1][1:] == (8, 8, 0.0)


def test_an_import_works_from_a_page(photos):
    from streamlit.testing.v1 import AppTest

    photos.pair()

    def page(path: str) -> None:
        import streamlit as st

        from core.importing.importer import import_images

        bar = st.progress(0.0)
        info = import_images("pets", path, progress=lambda done, total, _: bar.progress(done / total))
        st.write(f"{info.size} images")

    at = AppTest.from_function(page, args=(str(photos.root),), default_timeout=30).run()
    assert not at.exception
    assert at.markdown[0].value == "8 images"


def test_the_info_goes_to_json_and_back(photos):
    photos.pair()
    photos.write("cat/broken.png", b"x")
    info = import_images("x", photos.root)
    values = json.loads(json.dumps(info.to_dict()))
    assert (values["size"], values["num_classes"]) == (8, 2)
    assert datasets.DatasetInfo.from_dict(values) == info


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "`size` must be 1 to 1024"),
        ({"size": (10, 5000)}, "`size` must be 1 to 1024"),
        ({"channels": 2}, r"`channels` must be 1 \(grey\) or 3"),
        ({"test_fraction": 1.5}, "`test_fraction` must be in 0.01 to 0.9. Received: 1.5"),
        ({"policy": "squash"}, "`policy` must be one of stretch, pad, crop. Received: 'squash'"),
        ({"mirror": ("cat", "cat")}, "`mirror` must name two different classes"),
        ({"mirror": ("cat", "cow")}, "does not have: 'cow'"),
        ({"seed": -1}, "`seed` must not be negative"),
    ],
)
def test_a_request_that_cannot_be_is_refused(photos, nothing_written, options, message):
    photos.pair()
    with pytest.raises(ImportRefused, match=message):
        import_images("x", photos.root, **options)
    nothing_written()


def test_a_test_fraction_beside_a_test_set_is_refused(photos):
    photos.add(*(f"{part}/{label}/0.png" for part in ("train", "test") for label in "ab"))
    with pytest.raises(ImportRefused, match=r"brings one\. Received: 0\.2"):
        import_images("x", photos.root, test_fraction=0.2)
