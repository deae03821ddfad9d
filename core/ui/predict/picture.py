"""An image that models are asked about, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        blob: Of its file, of any format that an import reads.
        truth: Its true class, where that is known.
        dataset: Name of the dataset that it is a test image of; empty for a visitor's own.
        row: Its row there.
    """

    blob: bytes
    truth: str | None = None
    dataset: str = ""
    row: int = -1
