"""Explain in one line why a run failed; for a lack of memory, with the batch size that would fit."""

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
HINTS = {  # by the signal that ended the process
    "SIGKILL": " (out of memory, or killed by hand)",
    "SIGBUS": " (a file that it read was truncated, such as the images of its dataset, or its disk failed)",
}


@dataclass(frozen=True)
class Failure:
    """The reason in one line, and the batch size that would fit; 0 where that is not the problem."""

    reason: str
    fits: int = 0


def explain(code: int, log: str, memory: Memory | None, free: int | None, message: str = "") -> Failure:
    """Explain why a training process failed.

    Args:
        code: its exit code, negative for a signal.
        log: what it printed.
        memory: the estimate; None before the model was built.
        free: bytes that were free when it started; None where unknown.
        message: the executor's reason, used where the log has none.
    """
    # TensorFlow does not check allocations on the CPU: without memory it dies of SIGSEGV or SIGABRT.
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
    """Describe a lack of memory. memory: the estimate. free: bytes that were free. None: unknown."""
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
