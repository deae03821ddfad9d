"""What is done to an image to make it like the training images, and when that is offered."""

from __future__ import annotations

import numpy as np

from core.images.decode import Decoded
from core.inference.answers import shown_to_model, target_of
from core.inference.messages import UNCHANGED, Changes, ModelImages
from core.inference.notes import brightness_note, inversion_note

USUAL = {"mean": [100.0, 140.0], "edge": [90.0, 150.0]}
PHOTOS = ModelImages((8, 8, 3), ("cat", "dog"), "stretch", brightness=USUAL)


def decoded(pixels: np.ndarray) -> Decoded:
    height, width, _ = pixels.shape
    return Decoded(pixels, height, width, False, False, False)


def shown(pixels: np.ndarray, changes: Changes) -> np.ndarray:
    (found,) = shown_to_model(PHOTOS, [decoded(pixels)], changes)
    return found


def test_a_dark_image_gets_the_mean_of_the_training_images_and_is_warned_of_no_more() -> None:
    dark = np.full((8, 8, 3), 20, np.uint8)
    dark[:4] = 40
    assert "is much darker than the training images: its mean is 30 of 255" in brightness_note(USUAL, dark)
    mended = shown(dark, Changes(brightness=True))
    np.testing.assert_allclose(mended.mean(), 120, atol=1)
    assert mended[0, 0, 0] == 2 * mended[7, 7, 0]  # the levels keep their proportion
    assert brightness_note(USUAL, mended) == ""
    np.testing.assert_array_equal(shown(dark, UNCHANGED), dark)


def test_an_image_is_said_to_be_inverted_or_of_other_brightness_and_never_both() -> None:
    strokes = {"mean": [20.0, 60.0], "edge": [0.0, 10.0]}
    negative = np.full((8, 8, 1), 255, np.uint8)
    negative[3:5] = 60
    assert inversion_note(strokes, negative)
    assert brightness_note(strokes, negative) == ""
    grey = np.full((8, 8, 1), 128, np.uint8)  # its negative is as unlike them
    assert inversion_note(strokes, grey) == ""
    assert "much brighter" in brightness_note(strokes, grey)


def test_colours_are_taken_away_and_the_channels_stay() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 90
    np.testing.assert_array_equal(shown(red, Changes(grey=True)), np.full((8, 8, 3), 30))


def test_the_middle_is_cut_out_whatever_the_model_was_trained_with() -> None:
    assert target_of(PHOTOS, UNCHANGED).policy == "stretch"
    assert target_of(PHOTOS, Changes(middle=True)).policy == "crop"
