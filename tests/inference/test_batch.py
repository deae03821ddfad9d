"""Many images at once, through the real prediction process."""

from __future__ import annotations

import base64
import gc
import io
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.inference import batch as batches
from core.inference.batch import Batch, Item, groups
from core.inference.batch_items import label_of, of_folder, of_zip
from core.inference.client import Caller, predict
from core.inference.messages import Changes
from core.system import settings as settings_module
from core.system.settings import NotAllowed, Settings
from tests.support.homes import Trained
from tests.support.images import png, zipped
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


def item(name: str, data: bytes) -> Item:
    return Item(name, len(data), lambda: data)


def ended(batch: Batch) -> Batch:
    wait_for(lambda: not batch.running)
    return batch


def test_a_batch_says_what_single_requests_say_and_a_bad_file_is_one_row(trained: Trained) -> None:
    digits = datasets.load("digits")
    images = [png(digits.images[row]) for row in digits.indices("test")[:40]]  # more than one request
    items = [item(f"{number}.png", image) for number, image in enumerate(images)]
    items.insert(5, item("broken.png", b"no image"))
    items.insert(9, Item("gone.png", 9, Path("/no/such/file.png").read_bytes))
    done = ended(Batch(trained.settings, [trained.run_id], items, top_k=10))
    assert done.problem == ""
    assert [row.name for row in done.rows] == [one.name for one in items]
    assert done.rows[5].error.startswith("The image ")
    assert done.rows[9].error == "The image cannot be read: No such file or directory."
    found = [row.found[trained.run_id] for row in done.rows if not row.error]
    assert found == predict(trained.settings, trained.run_id, images, top_k=10)


def test_what_a_page_keeps_of_a_batch_is_small(trained: Trained) -> None:
    digits = datasets.load("digits")
    pixels = np.repeat(np.repeat(digits.images[0], 8, axis=0), 8, axis=1)
    items = [item(f"{number}.png", png(pixels)) for number in range(2)]
    uploaded = [weakref.ref(one) for one in items]
    done = ended(Batch(trained.settings, [trained.run_id], items, 10))
    del items
    gc.collect()
    assert [one() for one in uploaded] == [None, None]
    assert done.number == 2
    first, second = (row.found[trained.run_id] for row in done.rows)
    assert first.pixels is None
    assert all(one is other for one, other in zip(first.classes, second.classes, strict=True))
    kind, _, data = done.rows[0].thumbnail.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert max(image.size) <= batches.THUMBNAIL


def test_any_other_error_ends_a_batch_with_a_sentence_and_is_logged(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bytes:
        raise RuntimeError("the reader is broken")

    closed = list[bool]()
    items = [Item("1.png", 1, broken)]
    done = ended(Batch(trained.settings, [trained.run_id], items, 5, close=lambda: closed.append(True)))
    assert done.problem == "It was ended by an error: RuntimeError: the reader is broken."
    assert "the reader is broken" in caplog.text
    assert closed == [True]


def test_the_time_of_a_batch_ends_a_request_too(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.inference.client.LOOK_S", 0.0)  # asks at once whether anybody still waits
    image = png(datasets.load("digits").images[0])

    def late() -> bytes:
        monkeypatch.setattr(batches, "MOST_S", 0.0)
        return image

    done = ended(Batch(trained.settings, [trained.run_id], [Item("1.png", len(image), late)], 5))
    assert done.problem == "It was ended after 0 minutes."
    assert done.rows == []


def test_a_batch_ends_when_its_visitor_has_left_however_short_its_requests(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 1)
    image, left = png(datasets.load("digits").images[0]), list[bool]()

    def leave() -> bytes:
        left.append(True)
        return image

    items = [Item("1.png", len(image), leave), *[item("2.png", image)] * 5]
    visitor = Caller("", lambda: bool(left))
    done = ended(Batch(trained.settings, [trained.run_id], items, 5, caller=visitor))
    assert done.problem == "It was ended because its visitor had left."
    assert len(done.rows) <= 1


def test_changes_hold_for_a_whole_batch(trained: Trained) -> None:
    digits = datasets.load("digits")
    pixels = digits.images[digits.indices("test")[0]]
    (plain,) = predict(trained.settings, trained.run_id, [png(pixels)])
    items = [item("negative.png", png(255 - pixels))]
    (row,) = ended(Batch(trained.settings, [trained.run_id], items, 5, Changes(invert=True))).rows
    assert row.found[trained.run_id].classes == plain.classes


def test_a_cancelled_batch_keeps_what_is_done_and_closes_its_source(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 1)
    image, closed = png(datasets.load("digits").images[0]), list[bool]()

    def read_and_cancel() -> bytes:
        wait_for(lambda: bool(begun))
        begun[0].cancel()
        return image

    items = [item("1.png", image), Item("2.png", len(image), read_and_cancel), *[item("3.png", image)] * 50]
    begun = list[Batch]()
    running = Batch(trained.settings, [trained.run_id], items, 5, close=lambda: closed.append(True))
    begun.append(running)
    ended(running)
    assert running.problem == "It was cancelled."
    assert len(running.rows) <= 2
    assert closed == [True]


def test_a_model_that_cannot_answer_ends_a_batch_with_its_sentence(trained: Trained) -> None:
    image = png(datasets.load("digits").images[0])
    done = ended(Batch(trained.settings, ["nope"], [item("1.png", image)], 5))
    assert "No run has the id 'nope'" in done.problem
    assert done.rows == []


def test_requests_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "AT_ONCE", 3)
    monkeypatch.setattr(batches, "BYTES_AT_ONCE", 10)
    sizes = [4, 4, 4, 1, 1, 1, 1, 50, 1]
    found = list(groups([Item(str(size), size, bytes) for size in sizes]))
    assert [[one.size for one in group] for group in found] == [[4, 4], [4, 1, 1], [1, 1], [50], [1]]


def test_a_file_that_is_too_large_is_never_read(trained: Trained) -> None:
    def never() -> bytes:
        raise AssertionError

    large = Item("large.png", batches.MOST_BYTES + 1, never)
    (row,) = ended(Batch(trained.settings, [trained.run_id], [large], 5)).rows
    assert row.error == "The image has more than 32 MB."


def test_a_zip_is_read_without_what_is_no_image_and_leaves_no_file(settings: Settings) -> None:
    data = zipped({"a/1.png": b"one", "b/2.JPG": b"two", "read.txt": b"x", "__MACOSX/a/1.png": b"y"})
    found = of_zip(settings, "photos.zip", data)
    assert not list(settings.cache.glob("*.zip"))  # a server that is killed leaves none either
    assert [(one.name, one.read()) for one in found.items] == [("a/1.png", b"one"), ("b/2.JPG", b"two")]
    assert found.note == "2 other files are left out."
    found.close()
    with pytest.raises(ValueError, match=r"^photos\.zip is not a zip archive") as refused:
        of_zip(settings, "photos.zip", b"PK no zip")
    assert str(settings.cache) not in str(refused.value)
    assert not list(settings.cache.glob("*.zip"))


def test_of_too_many_images_the_first_are_taken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.inference.batch_items.MOST_IMAGES", 2)
    found = of_zip(settings, "photos.zip", zipped({f"{number}.png": b"x" for number in range(5)}))
    assert [one.name for one in found.items] == ["0.png", "1.png"]
    assert found.note == "Of 5 images the first 2 are classified."
    found.close()


def test_a_folder_is_for_trainers_and_its_links_lead_nowhere(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.png").write_bytes(b"one")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "in" / "2.png").symlink_to(tmp_path / "secret.png")
    found = of_folder(settings, str(tmp_path / "in"))
    assert [(one.name, one.read()) for one in found.items] == [("1.png", b"one")]
    with pytest.raises(ValueError, match="There is no folder"):
        of_folder(settings, str(tmp_path / "out"))
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    with pytest.raises(NotAllowed):
        of_folder(settings_module.get_settings(), str(tmp_path / "in"))


def test_a_folder_of_too_many_files_is_refused_with_a_sentence(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "in"
    for number in range(3):
        (root / str(number)).mkdir(parents=True)
        (root / str(number) / "1.png").write_bytes(b"one")
    monkeypatch.setattr("core.inference.batch_items.MOST_ENTRIES", 6)
    assert len(of_folder(settings, str(root)).items) == 3
    monkeypatch.setattr("core.inference.batch_items.MOST_ENTRIES", 5)
    with pytest.raises(ValueError, match="holds more than 5 files and folders"):
        of_folder(settings, str(root))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat/1.png", "cat"),
        ("test/Cat/1.png", "cat"),
        ("cat/dog/1.png", "dog"),  # the nearest folder
        ("cat.png", None),
        ("birds/1.png", None),
    ],
)
def test_folders_that_are_named_after_classes_give_the_truth(name: str, label: str | None) -> None:
    assert label_of(name, ["cat", "dog"]) == label


def test_classes_that_differ_in_capitals_alone_are_told_apart() -> None:
    assert label_of("A/1.png", ["a", "A"]) == "A"
    assert label_of("b/1.png", ["a", "A", "B"]) is None
