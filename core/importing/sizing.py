"""Choose size and channels of the images of an import, where they were not given."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.images.decode import Unreadable, decode_image
from core.images.decode_pool import Failure, Result
from core.images.decode_worker import DEEP, GREY
from core.images.reader import Reader
from core.images.target import Target
from core.images.value_range import IMAGE, Rule
from core.importing.listing import Listing

DEFAULT_SIDE = 96
LARGEST_KEPT_SIDE = 256  # images of one size keep it up to this many pixels
SAMPLE_SIZE = 64

Size = tuple[int, int]


class NotAlike(Exception):
    """An image has another size than the sampled ones."""


class NotGrey(Exception):
    """An image has colour, unlike the sampled ones."""


class NotShallow(Exception):
    """An image is deeper than 8 bits, unlike the sampled ones."""


class Common(NamedTuple):
    """What the sampled images of a source have in common.

    Args:
        common: the size that they share, or None.
        grey: none has colour.
        deep: one has more than 8 bits.
    """

    common: Size | None
    grey: bool
    deep: bool


@dataclass(frozen=True)
class Sizing:
    """The target format of every image, and why.

    common, grey: must hold for all images, else it is chosen again.
    """

    target: Target
    common: Size | None
    grey: bool
    notes: tuple[str, ...]

    def check(self, results: list[Result | Failure]) -> None:
        """Raise NotAlike, NotGrey or NotShallow when an image contradicts the sizing."""
        for result in results:
            if isinstance(result, Failure):
                continue
            if self.common and (result.height, result.width) != self.common:
                raise NotAlike
            if self.grey and not result.flags & GREY:
                raise NotGrey
            if self.target.values == IMAGE and result.flags & DEEP:
                raise NotShallow


def sample_images(listing: Listing) -> Common:
    """Sample some images, spread over the source."""
    sizes: set[Size] = set()
    grey, deep = True, False
    with closing(Reader(listing.root)) as reader:
        for row in np.unique(np.linspace(0, len(listing.items) - 1, SAMPLE_SIZE, dtype=int)):
            try:
                decoded = decode_image(reader.read(listing.items[row].where), Target(32, 32, 1, values=IMAGE))
            except Unreadable:
                continue
            sizes.add((decoded.height, decoded.width))
            grey, deep = grey and decoded.grey, deep or decoded.deep
    common = sizes.pop() if len(sizes) == 1 else None
    return Common(common if common and max(common) <= LARGEST_KEPT_SIDE else None, grey, deep)


def sizing_for(
    size: Size | None, channels: int | None, policy: str, common: Size | None, grey: bool, values: Rule
) -> Sizing:
    """Complete a request by what the images have in common; the notes say what was chosen and why.

    values: the rule for images deeper than 8 bits.
    """
    notes = []
    if size is None:
        if common:
            notes.append(f"All images are {common[0]}×{common[1]} pixels and keep that size.")
        else:
            notes.append(
                f"The images differ in size or are over {LARGEST_KEPT_SIDE} pixels: "
                f"all were resized to {DEFAULT_SIDE}×{DEFAULT_SIDE} ({policy})."
            )
    if channels is None:
        notes.append("No image has colour: one channel is kept." if grey else "Images are kept in RGB.")
    height, width = size or common or (DEFAULT_SIDE, DEFAULT_SIDE)
    return Sizing(
        target=Target(height, width, channels or (1 if grey else 3), policy, values),
        common=None if size else common,
        grey=grey and channels is None,
        notes=tuple(notes),
    )
