"""Describe an import: what was converted, what is missing, and what was not imported."""

from __future__ import annotations

from collections import Counter

from core.datasets.records import Problem
from core.images.decode_pool import (
    Result,
)
from core.images.decode_worker import ANIMATED, CLIPPED, DEEP, TRANSPARENT
from core.images.value_range import Rule, Spread, number, range_notes
from core.importing.listing import Listing, some
from core.importing.request import ImportRefused, Request

MAX_PROBLEMS = 1000  # listed by name


def value_range_notes(
    values: Rule, found: Spread | None, results: list[Result], listing: Listing, request: Request
) -> tuple[str, ...]:
    """Describe what was done to deep images. Raises ImportRefused for a given range that no image needs."""
    deep = sum(bool(result.flags & DEEP) for result in results)
    if not deep and request.value_range is not None:
        raise ImportRefused(
            f"`value_range` is for images deeper than 8 bits, and {listing.title} has none that can be read. "
            f"Received: {number(request.value_range[0])}, {number(request.value_range[1])}."
        )
    if not deep or not isinstance(values, tuple):
        return ()
    clipped = sum(bool(result.flags & CLIPPED) for result in results)
    return range_notes(found, values, deep, len(results) - deep, clipped, request.value_range is not None)


def image_notes(
    results: list[Result], classes: tuple[str, ...], listing: Listing, request: Request
) -> tuple[str, ...]:
    """Describe what was converted, and classes without training images."""
    counts = Counter(flag for result in results for flag in (TRANSPARENT, ANIMATED) if result.flags & flag)
    notes = []
    if counts[TRANSPARENT]:
        notes.append(f"{counts[TRANSPARENT]:,} images with transparency were laid on white.")
    if counts[ANIMATED]:
        notes.append(f"Of {counts[ANIMATED]:,} images with several frames the first was taken.")
    if request.mirror:
        one, other = request.mirror
        notes.append(f"Images of '{one}' were flipped left to right and counted as '{other}'.")
    rows = {result.row for result in results}
    trained = {
        request.label(item)
        for row, item in enumerate(listing.items)
        if row in rows and item.place.subset in (None, "train")
    }
    missing = [label for label in classes if label not in trained]
    if missing:
        notes.append(f"No training image is there for: {some(missing)}.")
    return tuple(notes)


def first_problems(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return at most MAX_PROBLEMS problems, and how many more there are."""
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    more = len(problems) - MAX_PROBLEMS
    return (*problems[:MAX_PROBLEMS], Problem("…", f"and {more:,} more files were not imported"))
