"""An image that is a negative of the training images is known as one, and others are not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from core import datasets
from core.datasets.brightness import fits_inverted, measured, usual_brightness


def test_brightness_is_the_mean_of_the_image_and_of_its_outermost_pixels():
    image = np.full((1, 4, 5, 3), 10, np.uint8)
    image[0, 1:3, 1:4] = 110
    found = measured(image)
    assert found["edge"].tolist() == [10]
    assert found["mean"].tolist() == [pytest.approx((14 * 10 + 6 * 110) / 20)]


def test_the_brightness_of_large_images_takes_little_memory(home):
    images = np.random.default_rng(0).integers(0, 256, (256, 256, 256, 1), dtype=np.uint8)  # 16 MiB
    dataset = datasets.ImageDataset(**{**vars(datasets.load("digits")), "images": images})
    tracemalloc.start()
    try:
        usual = usual_brightness(dataset, np.arange(len(images)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20  # as float64 they are 128 MiB
    means = images.reshape(len(images), -1).mean(axis=1)
    assert usual["mean"] == np.percentile(means, (1, 99)).round(1).tolist()


def test_black_digits_on_white_are_known_and_white_ones_on_black_are_not_suspected(home):
    digits = datasets.load("digits")
    usual = usual_brightness(digits, digits.indices("train"))
    for row in digits.indices("test"):
        assert fits_inverted(usual, 255 - digits.images[row])
        assert not fits_inverted(usual, digits.images[row])


def test_pencil_on_grey_paper_is_known(home):
    digits = datasets.load("digits")
    usual = usual_brightness(digits, digits.indices("train"))
    ink = digits.images[digits.indices("test")[0]] / 255
    shading = np.linspace(-15, 15, ink.shape[1])[None, :, None]
    assert fits_inverted(usual, (190 * (1 - ink) + 50 * ink + shading).astype(np.uint8))


def test_nothing_is_suspected_where_training_images_are_of_every_brightness(home):
    digits = datasets.load("digits")
    mixed = np.concatenate([digits.images[:500], 255 - digits.images[:500]])
    usual = usual_brightness(
        datasets.ImageDataset(**{**vars(digits), "images": mixed}), np.arange(len(mixed))
    )
    assert not any(fits_inverted(usual, image) for image in mixed)


def test_no_training_images_say_nothing(home):
    digits = datasets.load("digits")
    assert not fits_inverted(usual_brightness(digits, np.array([], int)), digits.images[0])
