"""Why a training ended, in one line; and when memory ran out, the batch size that would have fitted."""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.files import read_state, write_whole

OUT_OF_MEMORY = re.compile(
    r"ResourceExhaustedError|OOM when allocating|MemoryError|std::bad_alloc|Unable to allocate"
    r"|Failed to allocate|CUDA_ERROR_OUT_OF_MEMORY|RESOURCE_EXHAUSTED|Cannot allocate memory"
)
HINTS = {  # by the name of a signal that ended a training
    "SIGKILL": " (out of memory, or killed by hand)",
    "SIGBUS": " (a file that it read was cut off, such as the images of its dataset, or its disk failed)",
}
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


@dataclass(frozen=True)
class Failure:
    """One line, and the batch size that would fit where that would help; 0 otherwise."""

    reason: str
    fits: int = 0


def explain(code: int, log: str, memory: Memory | None, free: int | None, message: str = "") -> Failure:
    """Why a process ended.

    code: negative for a signal. free: bytes that were free before, where known. message: what whoever ran it
    says, for an end that it does not tell of itself.
    """
    # TensorFlow does not look whether an allocation on a CPU has worked: it then dies of SIGSEGV or SIGABRT.
    too_large = memory is not None and free is not None and memory.total > MARGIN * free
    killed = code < 0 and too_large
    if code != 0 and (killed or OUT_OF_MEMORY.search(log)):
        return out_of_memory(memory, free)
    if code < 0:
        name = signal.Signals(-code).name
        hint = HINTS.get(name, "")
        return Failure(f"The training process was ended by {name}{hint}.")
    _, traceback, last = log.rpartition("Traceback (most recent call last):\n")
    if traceback:
        for line in last.splitlines():
            if re.match(r"[\w.]+(: |$)", line):  # frames are indented; the error itself is not
                return Failure(line[:500])
    return Failure(message or f"The training process ended with exit code {code}.")


def out_of_memory(memory: Memory | None, free: int | None) -> Failure:
    if free is None:
        taken = (
            f"batches of {memory.batch_size} take about {size(memory.total)}"
            if memory
            else "no model was built"
        )
        return Failure(f"Out of memory: {taken}.")
    if memory is None:
        return Failure(f"Out of memory before the model was built; {size(free)} were free.")
    fits = memory.fitting(free)
    advice = f"A batch size of {fits} would fit." if fits else "No smaller batch size would fit."
    return Failure(
        f"Out of memory: batches of {memory.batch_size} take about {size(memory.total)}, "
        f"{size(free)} were free. {advice}",
        fits,
    )


def size(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
