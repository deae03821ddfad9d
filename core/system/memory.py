"""The estimate of the memory that a run takes, made before it starts."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.system.files import read_state, write_whole

MARGIN = 0.8  # of the free memory: the estimate may be that much too low


@dataclass(frozen=True)
class Memory:
    """The estimated memory of a run on all its devices.

    Args:
        fixed: bytes for any batch size.
        per_image: bytes for each image of a batch.
        batch_size: on all devices together, a multiple of their number.
        devices: number of devices.
    """

    fixed: int
    per_image: int
    batch_size: int
    devices: int = 1

    @classmethod
    def read(cls, path: Path) -> Memory | None:
        """Read an estimate; None before the model was built, and where the file is damaged."""
        found = read_state(path) or {}
        whole = all(isinstance(found.get(name), int) for name in ("fixed", "per_image", "batch_size"))
        return cls(**found) if whole and found.keys() <= cls.__dataclass_fields__.keys() else None

    def write(self, path: Path) -> None:
        """Write the estimate for the worker, which explains a lack of memory; skipped on a full disk."""
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(vars(self)))

    @property
    def total(self) -> int:
        """Bytes at `batch_size`."""
        return self.fixed + self.batch_size * self.per_image

    def fitting(self, free: int) -> int:
        """Return the largest batch size below `batch_size` that fits into `free` bytes; 0 for none.

        A power of two on each device; the sum over all devices is returned.
        """
        each = 1 << max(0, (self.batch_size // self.devices - 1).bit_length() - 1)
        while each and self.fixed + each * self.devices * self.per_image > MARGIN * free:
            each //= 2
        return each * self.devices if each * self.devices < self.batch_size else 0
