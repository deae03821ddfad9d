"""The memory that a training takes, as it is estimated before it starts."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.system.files import read_state, write_whole

MARGIN = 0.8  # of what is free: the estimate may be so much too low


@dataclass(frozen=True)
class Memory:
    """What a training takes on all its devices, as it was estimated: bytes whatever the batch, and an image.

    batch_size: on all devices together, a multiple of their number.
    """

    fixed: int
    per_image: int
    batch_size: int
    devices: int = 1

    @classmethod
    def read(cls, path: Path) -> Memory | None:
        """None before the model was built, and where the file is damaged."""
        found = read_state(path) or {}
        whole = all(isinstance(found.get(name), int) for name in ("fixed", "per_image", "batch_size"))
        return cls(**found) if whole and found.keys() <= cls.__dataclass_fields__.keys() else None

    def write(self, path: Path) -> None:
        """For whoever explains an end that this process cannot tell of; not where the disk takes nothing."""
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(vars(self)))

    @property
    def total(self) -> int:
        return self.fixed + self.batch_size * self.per_image

    def fitting(self, free: int) -> int:
        """The largest power of two on each device that fits as a batch into so many bytes, or 0.

        Of all devices together, and always smaller than the batch size it is asked about.
        """
        each = 1 << max(0, (self.batch_size // self.devices - 1).bit_length() - 1)
        while each and self.fixed + each * self.devices * self.per_image > MARGIN * free:
            each //= 2
        return each * self.devices if each * self.devices < self.batch_size else 0
