"""A colour dataset can be read as grey, without another import."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.datasets.splits import split
from core.importing.importer import import_images


@pytest.fixture
def pets(photos):
    photos.pair()
    import_images("pets", photos.root)
    return photos


def test_grey_pixels_are_those_of_pillow(pets):
    colour, grey = datasets.load("pets"), datasets.load("pets", grey=True)
    assert (grey.info.shape, grey.images.shape) == ((8, 8, 1), (8, 8, 8, 1))
    rows = np.array([5, 0, 3])
    expected = [np.asarray(Image.fromarray(np.asarray(colour.images[row])).convert("L")) for row in rows]
    assert grey.images[rows].dtype == np.uint8
    assert (grey.images[rows][..., 0] == expected).all()
    assert (np.asarray(grey.images)[rows] == grey.images[rows]).all()


def test_reading_grey_changes_nothing_but_the_images(pets):
    colour, grey = datasets.load("pets"), datasets.load("pets", grey=True)
    assert len(grey.images) == len(colour.images)
    assert split(grey).train.tolist() == split(colour).train.tolist()
    assert datasets.load("pets").info.shape == (8, 8, 3)


def test_grey_datasets_are_read_from_the_map_as_they_are():
    assert isinstance(datasets.load("digits", grey=True).images, np.memmap)
