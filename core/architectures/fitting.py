"""What to do about images that are too small for an architecture."""

from __future__ import annotations

from core.architectures import Architecture, Shape, architectures


def takes(entry: Architecture, shape: Shape) -> bool:
    """Whether images of this shape `(H, W, C)` are large enough for an architecture."""
    return min(shape[:2]) >= entry.min_size


def variant_for(entry: Architecture, shape: Shape) -> Architecture | None:
    """Return the member of an architecture's family that takes such images and is nearest to it.

    That is the one of the largest smallest input; of several the nearest in years. None where the family has
    none.
    """
    family = [other for other in architectures if other.family == entry.family and takes(other, shape)]
    return min(
        family,
        key=lambda one: (-one.min_size, abs(one.card.year - entry.card.year), one.name),
        default=None,
    )
