"""In what an image is unlike the training images, and what mends it."""

from __future__ import annotations

import numpy as np

from core.datasets.typical import Typical, unlike

COLOUR = np.array([[[200, 40, 40]] * 8] * 8, np.uint8)
GREY = np.full((8, 8, 3), 90, np.uint8)
PHOTOS = Typical(colour=(20.0, 120.0), side=(64.0, 200.0), ratio=(0.9, 1.4))
SCANS = PHOTOS._replace(colour=(0.0, 1.0))


def test_an_image_like_the_training_images_is_not_warned_of() -> None:
    assert unlike(PHOTOS, COLOUR, (100, 120), "stretch") == []
    assert unlike(SCANS, GREY, (100, 120), "stretch") == []
    assert unlike(PHOTOS._replace(colour=None), GREY[..., :1], (100, 120), "stretch") == []


def test_grey_and_colour_are_told_and_colours_can_be_taken_away() -> None:
    (one,) = unlike(PHOTOS, GREY, (100, 120), "stretch")
    assert (one.sentence, one.change) == ("The image has no colour, and the training images have.", "")
    (one,) = unlike(SCANS, COLOUR, (100, 120), "stretch")
    assert (one.sentence, one.change) == ("The image has colours, and the training images are grey.", "grey")


def test_size_and_proportions_are_told() -> None:
    (one,) = unlike(PHOTOS, COLOUR, (24, 30), "pad")
    assert one.sentence.startswith("The image is smaller than the training images: 24×30 pixels")
    (one,) = unlike(PHOTOS, COLOUR, (100, 300), "stretch")
    assert "300×100" in one.sentence
    assert one.change == "middle"
    assert unlike(PHOTOS, COLOUR, (100, 300), "crop") == []  # nothing is stretched
    assert unlike(PHOTOS, COLOUR, (100, 200), "stretch") == []  # a little wider than nearly all
