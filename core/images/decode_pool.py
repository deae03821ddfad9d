"""Decode images on every core, in worker processes that are plain programs.

Not multiprocessing: a spawned child would import the parent's main script again, and a fork of a process with
threads may hang. A pipe ends when either side dies, so no worker outlives an import, and a worker that dies
costs one image (docs/decisions/decoder-pool.md).
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from core.images.reader import Where
from core.images.target import Target
from core.images.value_range import Measured
from core.system.settings import PROGRAM

WORKER = "core.images.decode_worker"
CHUNK_IMAGES = 64
CHUNK_BYTES = 8 * 1024**2  # of pixels, so that large images do not fill the memory
MAX_WORKERS = 16
POLL_S = 0.2


Answer = TypeVar("Answer")


class DiskFull(OSError):
    """The decoded images could not be written."""


class Cancelled(Exception):
    """The work was cancelled."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive images. first: the first row. offset, length: of its line in the plan file."""

    first: int
    count: int
    offset: int
    length: int


class Result(NamedTuple):
    """One decoded image: digest of its pixels, size before resizing, and the flags of decode_worker."""

    row: int
    digest: bytes
    height: int
    width: int
    flags: int


class Failure(NamedTuple):
    """One image that could not be read."""

    row: int
    reason: str


def default_workers() -> int:
    """Return the number of cores that this process may use, at most MAX_WORKERS."""
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, MAX_WORKERS))


def decode_all(
    root: Path,
    places: Sequence[Where],
    mirrored: Collection[int],
    target: Target,
    folder: Path,
    images: Path,
    *,
    workers: int,
    cancelled: Callable[[], bool],
) -> Generator[list[Result | Failure], None, None]:
    """Decode every image into its row of the file `images`; yields the results, chunk by chunk.

    A worker that dies (a crash in a decoder) costs only the image that it was decoding. Closing the iterator
    stops the workers.

    Args:
        mirrored: rows to flip left to right.
        folder: where the plan may be written.
        cancelled: polled several times a second.

    Raises:
        DiskFull: the images could not be written.
        Cancelled: soon after `cancelled()` returns True.
    """
    per_image = target.height * target.width * target.channels
    step = max(1, min(CHUNK_IMAGES, CHUNK_BYTES // per_image))
    return _work(root, places, mirrored, target, folder, images, step, workers, cancelled, _result)


def measure_all(
    root: Path,
    places: Sequence[Where],
    folder: Path,
    *,
    workers: int,
    cancelled: Callable[[], bool],
) -> Generator[list[Measured | Failure | None], None, None]:
    """Yield the values of every image deeper than 8 bits, chunk by chunk.

    None for any other. As `decode_all`.
    """
    target = Target(1, 1, 1)  # no pixels are kept
    return _work(root, places, (), target, folder, None, CHUNK_IMAGES, workers, cancelled, _measured)


def _work(
    root: Path,
    places: Sequence[Where],
    mirrored: Collection[int],
    target: Target,
    folder: Path,
    images: Path | None,
    step: int,
    workers: int,
    cancelled: Callable[[], bool],
    read: Callable[[int, Any], Answer],
) -> Generator[list[Answer | Failure], None, None]:
    """Distribute the images in chunks of `step` and yield the answers.

    read: converts JSON to an answer of a row.
    """
    plan = folder / "plan.jsonl"
    waiting = deque(_write_plan(plan, places, mirrored, step))
    job = {
        "root": str(root),
        "plan": str(plan),
        "images": None if images is None else str(images),
        "target": list(target),
    }
    with selectors.DefaultSelector() as selector:

        def start() -> None:
            worker = Worker(job)
            selector.register(worker.stdout, selectors.EVENT_READ, worker)
            for _ in range(2):  # one in work and one queued, so that no worker waits for this process
                worker.take(waiting)

        try:
            for _ in range(min(workers, len(waiting))):
                start()
            while selector.get_map():
                if cancelled():
                    raise Cancelled
                for key, _ in selector.select(POLL_S):
                    worker: Worker = key.data
                    for answer in worker.read():
                        if "fatal" in answer:
                            raise DiskFull(answer["fatal"])
                        chunk = worker.held.popleft()
                        worker.take(waiting)
                        yield [
                            Failure(row, one) if isinstance(one, str) else read(row, one)
                            for row, one in enumerate(answer["results"], start=chunk.first)
                        ]
                    if worker.died or not worker.held:
                        selector.unregister(worker.stdout)
                        worker.stop()
                        if worker.held:
                            yield [*_after_crash(worker, waiting, plan)]
                        if worker.died and waiting:
                            start()
        finally:
            for key in list(selector.get_map().values()):
                key.data.process.kill()
                key.data.stop()
            plan.unlink()


class Worker:
    """One decoding process and its chunks; it works on the first one."""

    def __init__(self, job: Mapping[str, object]):
        command = [sys.executable, "-m", WORKER]
        self.process = subprocess.Popen(
            command, cwd=PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.held: deque[Chunk] = deque()
        self.died = False
        self.ready = False
        self._unread = b""
        self._write(json.dumps(job))

    def take(self, waiting: deque[Chunk]) -> None:
        """Send the next waiting chunk to the process, if there is one."""
        if waiting:
            self.held.append(waiting.popleft())
            self._write(f"{self.held[-1].offset} {self.held[-1].length}")

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the answers that have arrived; sets `died` when no more can come.

        Raises RuntimeError if the process failed before it read a chunk.
        """
        arrived = os.read(self.stdout.fileno(), 1024**2)
        self.died = not arrived
        *lines, self._unread = (self._unread + arrived).split(b"\n")
        for line in lines:
            if self.ready:
                yield json.loads(line)
            self.ready = True  # the first line only says that it is ready
        if self.died and not self.ready:
            raise RuntimeError(
                f"The decoding process does not start: {sys.executable} -m {WORKER} in {PROGRAM}."
            )

    def stop(self) -> None:
        """Wait for an idle process to end, and close its pipes."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.process.wait()
        self.stdout.close()

    def _write(self, line: str) -> None:
        with suppress(
            BrokenPipeError
        ):  # it died, which its closed stdout shows; its chunks are redistributed
            self.stdin.write(line.encode() + b"\n")
            self.stdin.flush()


def _write_plan(path: Path, places: Sequence[Where], mirrored: Collection[int], step: int) -> list[Chunk]:
    chunks = []
    with open(path, "wb") as file:
        for first in range(0, len(places), step):
            where = places[first : first + step]
            flips = [row - first for row in range(first, first + len(where)) if row in mirrored]
            line = json.dumps({"first": first, "where": where, "mirrored": flips}).encode()
            chunks.append(Chunk(first, len(where), file.tell(), len(line)))
            file.write(line + b"\n")
    return chunks


def why_it_ended(code: int) -> str:
    """Explain why an image was not read whose decoder has died. code: exit status, negative for a signal."""
    if code == -signal.SIGXCPU:
        return "takes too much of a processor's time to decode"
    return f"ends the decoder (exit status {code})"


def _after_crash(worker: Worker, waiting: deque[Chunk], plan: Path) -> list[Failure]:
    """Redistribute the chunks of a dead worker.

    The one that it worked on image by image, to find the cause.
    """
    culprit, *others = worker.held
    waiting.extendleft(reversed(others))
    if culprit.count == 1:
        return [Failure(culprit.first, why_it_ended(worker.process.returncode))]
    with open(plan, "r+b") as file:
        file.seek(culprit.offset)
        chunk = json.loads(file.read(culprit.length))
        file.seek(0, os.SEEK_END)
        for position in reversed(range(culprit.count)):
            row = culprit.first + position
            flips = [0] if position in chunk["mirrored"] else []
            alone = {"first": row, "where": chunk["where"][position : position + 1], "mirrored": flips}
            line = json.dumps(alone).encode()
            waiting.appendleft(Chunk(row, 1, file.tell(), len(line)))
            file.write(line + b"\n")
    return []


def _result(row: int, answer: list[Any]) -> Result:
    digest, height, width, flags = answer
    return Result(row, bytes.fromhex(digest), height, width, flags)


def _measured(row: int, answer: list[Any] | None) -> Measured | None:
    return None if answer is None else Measured(*answer)
