"""Why a training ended, in one line; and when memory ran out, the batch size that would have fitted."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from core.system.memory import MARGIN, Memory
from core.system.units import byte_size

OUT_OF_MEMORY = re.compile(
    r"ResourceExhaustedError|OOM when allocating|MemoryError|std::bad_alloc|Unable to allocate"
    r"|Failed to allocate|CUDA_ERROR_OUT_OF_MEMORY|RESOURCE_EXHAUSTED|Cannot allocate memory"
)
HINTS = {  # by the name of a signal that ended a training
    "SIGKILL": " (out of memory, or killed by hand)",
    "SIGBUS": " (a file that it read was cut off, such as the images of its dataset, or its disk failed)",
}


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
            f"batches of {memory.batch_size} take about {byte_size(memory.total)}"
            if memory
            else "no model was built"
        )
        return Failure(f"Out of memory: {taken}.")
    if memory is None:
        return Failure(f"Out of memory before the model was built; {byte_size(free)} were free.")
    fits = memory.fitting(free)
    advice = f"A batch size of {fits} would fit." if fits else "No smaller batch size would fit."
    return Failure(
        f"Out of memory: batches of {memory.batch_size} take about {byte_size(memory.total)}, "
        f"{byte_size(free)} were free. {advice}",
        fits,
    )
