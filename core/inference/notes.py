"""Sentences for people on how an image was read before a model classified it."""

from __future__ import annotations

import numpy as np

from core.datasets.brightness import Usual, fits_inverted, is_unlike, measured
from core.images.decode import Decoded
from core.images.value_range import FULL_RANGE, IMAGE, Rule, number

# For a model that another program logged.
GIVEN_AS_THEY_ARE = (
    "The preprocessing of this model is not known. It was given pixels of 0 to 255: if it expects other "
    "values, its prediction is wrong."
)


def no_keras_model(name: str) -> str:
    """Say why a run of another program cannot predict."""
    return (
        f"'{name}' was logged by another program. To predict here it needs a Keras image model, logged by "
        "mlflow.keras.log_model with its file data/model.keras, and it has none."
    )


def value_notes(rule: Rule, decoded: Decoded) -> list[str]:
    """Say how an image deeper than 8 bits was decoded. rule: of the dataset that the model was trained on."""
    if not decoded.deep:
        return []
    if decoded.value_range is None:
        return [
            "The image has more than 8 bits, and its dataset was imported before value ranges were recorded: "
            + f"{FULL_RANGE}."
        ]
    low, high = map(number, decoded.value_range)
    if rule == IMAGE:
        return [
            "The image is deeper than 8 bits and the training images are not. "
            f"The range of its own values was used: {low} became black and {high} white."
        ]
    if decoded.outside:
        return [
            f"{decoded.outside:.1%} of the image's values lie outside the dataset's value range, "
            f"{low} to {high}, and were clipped."
        ]
    return []


def inversion_note(usual: Usual, image: np.ndarray) -> str:
    """Say that an image, uint8 `(H, W, C)`, looks like a negative of the training images; else empty."""
    if not usual or not fits_inverted(usual, image):
        return ""
    return f"{_compared(usual, image)} With dark and light exchanged it would be like them."


def brightness_note(usual: Usual, image: np.ndarray) -> str:
    """Say that an image, uint8 `(H, W, C)`, is much darker or brighter than the training images.

    Empty where it is not, or where `inversion_note` says more.
    """
    if not usual or not is_unlike(usual, image) or fits_inverted(usual, image):
        return ""
    low, high = usual["mean"]
    return "" if low <= measured(image[None])["mean"][0] <= high else _compared(usual, image)


def _compared(usual: Usual, image: np.ndarray) -> str:
    low, high = usual["mean"]
    own = measured(image[None])["mean"][0]
    how = "brighter" if own > (low + high) / 2 else "darker"
    return (
        f"The image is much {how} than the training images: its mean is {own:.0f} of 255, theirs lie between "
        f"{low:.0f} and {high:.0f}."
    )


def crop_note(crop: int, views: str) -> str:
    """Say what a model that was trained on crops sees of an image; empty for any other model.

    crop: side of the crops in pixels, 0: none. views: that the prediction is averaged over.
    """
    if not crop:
        return ""
    seen = {
        "ten_crops": f"ten crops of it, {crop}×{crop}",
        "flip": f"the middle, {crop}×{crop}, and its mirror image",
    }.get(views, f"the middle, {crop}×{crop}")
    return f"the model was trained on crops and sees {seen}"


def views_note(views: str) -> str:
    """Say what the prediction is averaged over, as in the evaluation; empty where it is not."""
    over = {"flip": "the image and its mirror image", "ten_crops": "ten crops of the image"}.get(views)
    return f"The probabilities are averaged over {over}, as in the run's evaluation." if over else ""
