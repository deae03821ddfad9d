"""What a prediction says besides the model's probabilities, whichever engine computes these.

Imports no Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core import datasets
from core.datasets.brightness import Usual, usual_brightness
from core.images.decode import Decoded
from core.images.target import Target
from core.images.value_range import FULL_RANGE
from core.inference.messages import UNCHANGED, Changes, ModelImages, PredictionResult
from core.inference.notes import brightness_note, inversion_note, value_notes, views_note
from core.registry import UnknownName


class Opened(NamedTuple):
    """A run's model, and the images that it takes.

    answer: from images, uint8 `(N, H, W, C)`, to float32 probabilities `(N, classes)`. views: what the
    prediction is averaged over, as in `core.experiment.views`. foreign: whether another program logged it.
    grad_cam: from an image `(H, W, C)` and a class to where it looks; None without Keras.
    """

    answer: Callable[[np.ndarray], np.ndarray]
    images: ModelImages
    views: str
    foreign: bool
    grad_cam: Callable[[np.ndarray, int], LooksAt] | None = None


class LooksAt(NamedTuple):
    """Where a model looks: values float32 `(H, W)` of the image, enlarged from maps of `grain` of a layer."""

    values: np.ndarray
    grain: tuple[int, int]
    layer: str


def predictions(
    opened: Opened, decoded: Sequence[Decoded], top_k: int = 5, changes: Changes = UNCHANGED
) -> tuple[PredictionResult, ...]:
    """Return the `top_k` most probable classes of images that were decoded for the model.

    decoded: by `target_of` the model's images. Raises ValueError where another program's model outputs no
    probabilities.
    """
    if not decoded:
        return ()
    usual = training_brightness(opened.images)
    pixels = shown_to_model(opened.images, decoded, changes)
    found = []
    for probabilities, image, one in zip(opened.answer(pixels), decoded, pixels, strict=True):
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        height, width, channels = one.shape
        result = PredictionResult(
            classes=tuple(opened.images.classes[index] for index in order),
            probabilities=tuple(float(probabilities[index]) for index in order),
            shape=(height, width, channels),
            size=(image.height, image.width),
            notes=_notes(opened, image),
            inversion=inversion_note(usual, one),
            brightness=brightness_note(usual, one),
            views=views_note(opened.views),
            preprocessing=opened.images.note,
        )
        found.append(result)
    return tuple(found)


def target_of(images: ModelImages, changes: Changes) -> Target:
    """Return what images are made to be before the model gets them."""
    return images.target._replace(policy="crop") if changes.middle else images.target


def shown_to_model(images: ModelImages, decoded: Sequence[Decoded], changes: Changes) -> np.ndarray:
    """Return what a model gets of at least one image: uint8 `(N, H, W, C)`."""
    found = np.stack([image.pixels for image in decoded])
    if changes.grey and found.shape[-1] == 3:
        found = np.repeat(found.mean(axis=-1, keepdims=True).round().astype(np.uint8), 3, axis=-1)
    if changes.invert:
        found = 255 - found
    if changes.brightness and (usual := training_brightness(images)):
        means = found.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
        wanted = sum(usual["mean"]) / 2
        found = np.clip(found * (wanted / np.maximum(means, 1)), 0, 255).round().astype(np.uint8)
    return found


def training_brightness(images: ModelImages) -> Usual:
    """Return how bright the training images are: as logged, else as the dataset has it, or empty."""
    if images.brightness is not None:
        return images.brightness
    try:
        if datasets.info(images.name).fingerprint != images.fingerprint:
            return {}
    except (UnknownName, datasets.DatasetError):
        return {}
    return _brightness_of(images.name, images.grey, images.fingerprint)


@lru_cache(maxsize=16)
def _brightness_of(name: str, grey: bool, fingerprint: str) -> Usual:
    dataset = datasets.load(name, grey=grey)
    return usual_brightness(dataset, dataset.indices("train"))


def _notes(opened: Opened, image: Decoded) -> tuple[str, ...]:
    """Return sentences on how a deep image was read; a foreign model gives no rule for that."""
    if opened.foreign:
        return (f"The image has more than 8 bits: {FULL_RANGE}.",) if image.deep else ()
    return tuple(value_notes(opened.images.target.values, image))
