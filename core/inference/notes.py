"""What a person should know of how an image was read before a model answered."""

from __future__ import annotations

from core.datasets.decode import Decoded
from core.datasets.value_range import IMAGE, Rule, number


def value_notes(rule: Rule, decoded: Decoded) -> list[str]:
    """Sentences on an image deeper than 8 bits that was decoded by a dataset's rule."""
    if not decoded.deep:
        return []
    if decoded.value_range is None:
        return [
            "The image has more than 8 bits, and its dataset was imported before value ranges were recorded: "
            "integers are divided by 65,535, floats by 1, 255 or 65,535 after the values of each image."
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
