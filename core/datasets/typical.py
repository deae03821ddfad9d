"""What is usual for the images that a model was trained on, and in what another image is unlike them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.datasets.records import ImageDataset

SAMPLED = 500  # training images, spread over all of them
NEARLY_ALL = (1, 99)  # percentiles
GREY = 3.0  # levels between the channels, on average, up to which an image has no colour
COLOURFUL = 12.0  # from which it surely has
ODD = 1.5  # times the proportions of nearly all training images
SMALL = 0.5  # of the shorter side of nearly all training images


class Typical(NamedTuple):
    """The ranges that hold nearly all training images.

    colour: levels between the channels, None for grey images. side: the shorter one in pixels, before
    resizing. ratio: of width to height, before resizing.
    """

    colour: tuple[float, float] | None
    side: tuple[float, float]
    ratio: tuple[float, float]


class Unlike(NamedTuple):
    """In what an image is unlike the training images, as a sentence, and the change that mends it, if any.

    change: a field of `core.inference.messages.Changes`.
    """

    sentence: str
    change: str = ""


def typical(dataset: ImageDataset) -> Typical | None:
    """Measure the training images of a dataset; None where it has none."""
    rows = dataset.indices("train")
    if not len(rows):
        return None
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLED, dtype=int))]
    sizes = dataset.sizes[rows].astype(float)
    colour = None
    if dataset.info.shape[2] == 3:
        colour = _range(np.array([colourfulness(dataset.images[row]) for row in rows]))
    return Typical(colour, _range(sizes.min(axis=1)), _range(sizes[:, 1] / sizes[:, 0]))


def colourfulness(image: np.ndarray) -> float:
    """Return the mean difference between the channels of an image, uint8 `(H, W, C)`; 0 for a grey one."""
    return float((image.max(axis=-1).astype(float) - image.min(axis=-1)).mean())


def unlike(usual: Typical, image: np.ndarray, size: tuple[int, int], policy: str) -> list[Unlike]:
    """Say in what an image is unlike the training images, besides its brightness.

    Args:
        image: As the model gets it, uint8 `(H, W, C)`.
        size: Height and width of its file, in pixels.
        policy: How it was resized (`core.images.target.POLICIES`).
    """
    found = []
    height, width = size
    if usual.colour is not None and image.shape[2] == 3:
        own, (low, high) = colourfulness(image), usual.colour
        if own <= GREY and low >= COLOURFUL:
            found.append(Unlike("The image has no colour, and the training images have."))
        elif own >= COLOURFUL and high <= GREY:
            found.append(Unlike("The image has colours, and the training images are grey.", "grey"))
    least = usual.side[0]
    if min(size) < SMALL * least:
        found.append(
            Unlike(
                f"The image is smaller than the training images: {height}×{width} pixels, and theirs have at "
                f"least {least:.0f} on the shorter side. It lacks details that they have."
            )
        )
    narrow, wide = usual.ratio
    ratio = width / max(1, height)
    if policy == "stretch" and not narrow / ODD <= ratio <= wide * ODD:
        found.append(
            Unlike(
                f"The image has other proportions than the training images, {width}×{height}, and was "
                "stretched to theirs.",
                "middle",
            )
        )
    return found


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, NEARLY_ALL).tolist()
    return low, high
