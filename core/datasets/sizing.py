"""Which size and how many channels the images of an import get, where nobody asked for them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from core.datasets.decode import Target, Unreadable, decode_image
from core.datasets.decode_pool import Failure, Result
from core.datasets.decode_worker import GREY
from core.datasets.listing import Listing
from core.datasets.reader import Reader

DEFAULT_SIDE = 96
LARGEST_KEPT_SIDE = 256  # images that are all alike keep their size up to here
LOOKED_AT = 64

Size = tuple[int, int]


class NotAlike(Exception):
    """An image has another size than those that were looked at."""


class NotGrey(Exception):
    """An image has colour, unlike those that were looked at."""


@dataclass(frozen=True)
class Choice:
    """What every image becomes, and why. common, grey: must hold for all images, or the choice was wrong."""

    target: Target
    common: Size | None
    grey: bool
    notes: tuple[str, ...]

    def check(self, results: list[Result | Failure]) -> None:
        """Raise NotAlike or NotGrey when an image contradicts the choice."""
        for result in results:
            if isinstance(result, Failure):
                continue
            if self.common and (result.height, result.width) != self.common:
                raise NotAlike
            if self.grey and not result.flags & GREY:
                raise NotGrey


def look(listing: Listing) -> tuple[Size | None, bool]:
    """The size that some images, spread over the source, share (or None), and whether all are grey."""
    sizes: set[Size] = set()
    grey = True
    with closing(Reader(listing.root)) as reader:
        for row in np.unique(np.linspace(0, len(listing.items) - 1, LOOKED_AT, dtype=int)):
            try:
                decoded = decode_image(reader.read(listing.items[row].where), Target(32, 32, 1))
            except Unreadable:
                continue
            sizes.add((decoded.height, decoded.width))
            grey = grey and decoded.grey
    common = sizes.pop() if len(sizes) == 1 else None
    return (common if common and max(common) <= LARGEST_KEPT_SIDE else None), grey


def choose(size: Size | None, channels: int | None, policy: str, common: Size | None, grey: bool) -> Choice:
    """Complete a request by what the images have in common; the notes say what was chosen and why."""
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
    return Choice(
        target=Target(height, width, channels or (1 if grey else 3), policy),
        common=None if size else common,
        grey=grey and channels is None,
        notes=tuple(notes),
    )
