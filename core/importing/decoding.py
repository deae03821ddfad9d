"""Decode the images of a listing into a draft, on every core."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.datasets import store
from core.images.decode_pool import (
    Failure,
    Result,
    decode_all,
    measure_all,
)
from core.images.npy_file import allocate_images
from core.images.value_range import IMAGE, Measured, Rule, Spread, find_range, spread
from core.importing.listing import Listing
from core.importing.request import Request
from core.importing.sizing import NotAlike, NotGrey, NotShallow, Sizing, sample_images, sizing_for

REPORT_EVERY_S = 0.2

Progress = Callable[[int, int, float], None]


def decode_listing(
    listing: Listing, request: Request, folder: Path, workers: int, report: Reporter
) -> tuple[Sizing, Spread | None, list[Result], list[Failure]]:
    """Decode all images into the draft, rows in the order of the listing.

    Once, unless an image contradicts the sample by which the format was chosen. Images deeper than 8 bits are
    read
    twice: first for the range of values that all of them share.
    """
    common, grey, deep = sample_images(listing)
    found: Spread | None = None
    values: Rule = request.value_range or IMAGE
    while True:
        if deep and values == IMAGE:
            found = _measured(listing, folder, workers, report)
            values = find_range(found)
        sizing = sizing_for(request.size, request.channels, request.policy, common, grey, values)
        try:
            return sizing, found, *_decode_as(sizing, listing, request, folder, workers, report)
        except NotAlike:
            common = None
        except NotGrey:
            grey = False
        except NotShallow:
            deep = True


def _measured(listing: Listing, folder: Path, workers: int, report: Reporter) -> Spread | None:
    """Measure the values of all images deeper than 8 bits."""
    chunks = measure_all(
        listing.root,
        [item.where for item in listing.items],
        folder,
        workers=workers,
        cancelled=report.cancelled,
    )
    found: list[Measured] = []
    done = 0
    report.start()
    with closing(chunks):
        for chunk in chunks:
            found.extend(one for one in chunk if isinstance(one, Measured))
            done += len(chunk)
            report.tell(done)
    return spread(found)


def _decode_as(
    sizing: Sizing, listing: Listing, request: Request, folder: Path, workers: int, report: Reporter
) -> tuple[list[Result], list[Failure]]:
    target, images = sizing.target, folder / store.IMAGES
    allocate_images(images, len(listing.items), (target.height, target.width, target.channels))
    chunks = decode_all(
        listing.root,
        [item.where for item in listing.items],
        {row for row, item in enumerate(listing.items) if request.is_mirrored(item)},
        target,
        folder,
        images,
        workers=workers,
        cancelled=report.cancelled,
    )
    found: list[Result | Failure] = []
    report.start()
    with closing(chunks):
        for chunk in chunks:
            sizing.check(chunk)
            found.extend(chunk)
            report.tell(len(found))
    found.sort(key=lambda one: one.row)
    results = [one for one in found if isinstance(one, Result)]
    return results, [one for one in found if isinstance(one, Failure)]


class Reporter:
    """Calls `progress` a few times a second with the number of images done and the seconds left."""

    def __init__(self, total: int, progress: Progress | None, cancelled: Callable[[], bool] | None):
        self.total = total
        self.progress = progress
        self._cancelled = cancelled

    def start(self) -> None:
        """Reset the count: decoding begins, or begins again."""
        self._since = self._told = time.monotonic()
        self._counted = 0

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if not self._counted:  # the clock starts here, once the workers have started
            self._since, self._told, self._counted = now, now, done
        if self.progress and (now - self._told >= REPORT_EVERY_S or done == self.total):
            self._told = now
            pace = (now - self._since) / max(done - self._counted, 1)
            self.progress(done, self.total, pace * (self.total - done))

    def cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()
