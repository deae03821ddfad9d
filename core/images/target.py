"""The size, channels and value range that images are converted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.images import value_range
from core.images.value_range import Rule

Shape = tuple[int, int, int]  # (H, W, C)
POLICIES = ("stretch", "pad", "crop")


class Target(NamedTuple):
    """The size, channels and value range that every image is converted to.

    Args:
        height: in pixels.
        width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        policy: `stretch` to the size, `pad` (fit inside, with a black border) or `crop` (cover and cut).
        values: which values of images deeper than 8 bits become black and white.
    """

    height: int
    width: int
    channels: int
    policy: str = "stretch"
    values: Rule = value_range.FULL

    @classmethod
    def of_run(cls, facts: Mapping[str, Any]) -> Target:
        """Return the target of a run's training images. facts: logged as `schema.DATA`."""
        height, width, channels = facts["shape"]
        rule = value_range.rule_from_json(facts.get("value_range"))
        return cls(height, width, channels, facts["policy"], rule)

    @property
    def sentences(self) -> str:
        """Describe the conversion, for users who give images to a model elsewhere."""
        size = f"{self.height}×{self.width}"
        fitted = {
            "stretch": f"stretched to {size}, whatever its proportions",
            "pad": f"fitted into {size} with black around it",
            "crop": f"enlarged or reduced to cover {size}, of which the middle is kept",
        }[self.policy]
        match self.values:
            case (low, high):
                values = f"{value_range.number(low)} to {value_range.number(high)}"
                deep = f"values of {values} become 0 to 255, and those outside are clipped"
            case value_range.IMAGE:
                deep = "the range of its own values becomes 0 to 255: the training images have 8 bits"
            case _:
                deep = value_range.FULL_RANGE
        return (
            "Before that, an image is turned upright by its EXIF tag, laid on white where it is transparent, "
            f"made {'grey' if self.channels == 1 else 'RGB'}, and {fitted} (height×width, bicubic). "
            f"Of an image deeper than 8 bits, {deep}."
        )
