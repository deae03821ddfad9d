"""The import of images deeper than 8 bits: one range of values is found for a dataset, kept and said."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.datasets import store
from core.images.decode import decode_image
from core.images.target import Target
from core.images.value_range import FULL, IMAGE, check_range
from core.importing.importer import ImportRefused, import_images
from core.importing.request import parse_range
from tests.support.deep_files import SHAPE, expected, png, tiff, values

pytestmark = pytest.mark.slow


def two_classes(photos, **images: bytes) -> None:
    """Write each image into both classes: `a_png=...` becomes cat/a.png and dog/a.png."""
    for name, data in images.items():
        for label in ("cat", "dog"):
            photos.write(f"{label}/{name.replace('_', '.')}", data)


def pixels_of(name: str, dataset: datasets.ImageDataset) -> np.ndarray:
    row = dataset.source_names.tolist().index(name)
    return dataset.images[row]


def test_one_range_is_found_over_all_images_also_those_that_the_first_look_missed(photos, monkeypatch):
    monkeypatch.setattr("core.importing.sizing.SAMPLE_SIZE", 2)  # the first and the last, which have 8 bits
    photos.pair()
    stored = {"cat/1.png": values(3, top=500), "cat/2.png": values(3), "dog/1.png": values(3, top=2000)}
    for name, image in stored.items():
        photos.write(name, png(image))
    info = import_images("x", photos.root, size=SHAPE)
    assert info.value_range == (0, 4095)
    dataset = datasets.load("x")
    for name, image in stored.items():
        assert (pixels_of(name, dataset) == expected(image, 0, 4095)).all()
    assert (
        "3 images are deeper than 8 bits. One value range was used for all of them, found over all of them: "
        "0 became black and 4,095 white."
    ) in info.notes
    assert "The other 5 images have 8 bits and were kept as they are, 0 to 255." in info.notes


def test_floats_share_one_range(photos):
    ramp = np.tile(np.linspace(0, 1, 7, dtype="float32"), (5, 1))[..., None]
    two_classes(photos, bright_tif=tiff(ramp * 250), dark_tif=tiff(ramp), glare_tif=tiff(ramp * 255.5))
    info = import_images("x", photos.root)
    assert info.value_range == (0, 255.5)
    dataset = datasets.load("x")
    means = [pixels_of(f"cat/{name}.tif", dataset).mean() for name in ("bright", "dark", "glare")]
    assert means == pytest.approx([124.75, 0.5, 127.5], abs=0.5)


def test_values_that_fill_little_of_a_usual_range_get_their_own(photos):
    # A thermal camera: of 0 to 65,535 it uses a sixteenth, which would leave 16 levels.
    warm = values(1) + np.uint16(20_000)
    two_classes(photos, warm_png=png(warm))
    assert import_images("x", photos.root).value_range == (warm.min(), warm.max())


def test_signed_values_are_imported(photos):
    stored = values(1, "int16") - np.int16(1000)
    two_classes(photos, scan_tif=tiff(stored))
    info = import_images("x", photos.root)
    assert info.value_range == (stored.min(), stored.max())
    assert not info.problems


def test_integers_and_floats_in_one_dataset_are_said(photos):
    two_classes(photos, whole_png=png(values(1)), real_tif=tiff(values(1, "float32") / np.float32(4096)))
    assert "They are integers and floats" in " ".join(import_images("x", photos.root).notes)


def test_a_dead_pixel_that_flattens_all_images_is_said(photos):
    stored = np.tile(values(1, top=256), (20, 20, 1))
    stored[0, 0] = 65535
    two_classes(photos, scan_png=png(stored))
    notes = " ".join(import_images("x", photos.root).notes)
    assert "In every image 99.8% of the values lie between " in notes
    assert "import again with a value range" in notes
    info = import_images("x", photos.root, value_range=(0, 255), replace=True)
    assert (datasets.load("x").images[0] == np.minimum(stored, 255)).all()
    assert "One value range was used for all of them, as given: 0 became black and 255 white." in " ".join(
        info.notes
    )
    assert "2 of them have values outside the range, which were clipped." in info.notes


def test_a_range_for_images_of_8_bits_is_refused(photos, nothing_written):
    photos.pair()
    with pytest.raises(
        ImportRefused, match=r"for images deeper than 8 bits, and photos has none .* 0, 4,095"
    ):
        import_images("x", photos.root, value_range=(0, 4095))
    nothing_written()


@pytest.mark.parametrize("given", [(5, 5), (9, 1), (0,), (0, float("inf")), (float("nan"), 1)])
def test_a_range_that_is_none_is_refused(photos, nothing_written, given):
    photos.pair()
    with pytest.raises(ImportRefused, match=r"`value_range` must be two numbers.*Received: "):
        import_images("x", photos.root, value_range=given)
    nothing_written()


def test_a_range_is_read_from_text():
    assert parse_range("  ") is None
    assert parse_range("-1000, 3000") == parse_range("-1000 3000") == (-1000, 3000)
    for text in ("4095", "a, b", "3000, -1000", "0, 1, 2"):
        with pytest.raises(ImportRefused, match="must be two numbers"):
            parse_range(text)


def test_an_image_that_is_wholly_transparent_is_no_endless_search(photos):
    clear = np.concatenate([values(1), np.zeros((*SHAPE, 1), "uint16")], axis=-1)
    two_classes(photos, clear_png=png(clear))
    assert import_images("x", photos.root).value_range == (0, 65535)
    assert (datasets.load("x").images == 255).all()


def test_a_later_image_is_read_by_the_range_of_the_dataset(photos):
    two_classes(photos, dim_png=png(values(1, top=300)), full_png=png(values(1)))
    info = import_images("x", photos.root)
    facts = json.loads(
        json.dumps({"shape": info.shape, "policy": "stretch", "value_range": info.value_range})
    )
    image = decode_image((photos.root / "cat/dim.png").read_bytes(), Target.of_run(facts))
    assert (image.pixels == pixels_of("cat/dim.png", datasets.load("x"))).all()
    too_bright = decode_image(png(values(1) + np.uint16(2000)), Target.of_run(facts))
    assert 0 < too_bright.outside < 1


def test_a_manifest_without_a_range_says_so(photos):
    photos.pair()
    import_images("x", photos.root)
    assert datasets.info("x").value_range == IMAGE
    manifest = store.folder_of("x") / store.MANIFEST
    facts = json.loads(manifest.read_text())
    del facts["value_range"]
    manifest.write_text(json.dumps(facts))
    assert datasets.info("x").value_range == FULL


def test_images_of_8_bits_are_decoded_once_and_as_before(photos, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing is deep here: nothing is to be measured")

    monkeypatch.setattr("core.importing.decoding.measure_all", refuse)
    photos.pair()
    import_images("x", photos.root)
    with Image.open(io.BytesIO((photos.root / "cat/0.png").read_bytes())) as image:
        assert (pixels_of("cat/0.png", datasets.load("x")) == np.asarray(image)).all()


@pytest.mark.parametrize("given", ["0 1e-320", "-1.7e308 1.7e308", "1 1", "0 inf", "0 nan"])
def test_a_range_that_nothing_can_be_scaled_to_is_refused(given: str):
    with pytest.raises(
        ValueError, match="must be two numbers, the value that becomes black and a larger one"
    ):
        check_range([float(text) for text in given.split()])
