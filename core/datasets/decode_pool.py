"""Decoding with every core: worker processes that are plain programs.

Not multiprocessing: under Streamlit `__main__` is the page's script, which a spawned child would import
again, and a fork of a process with threads may hang. A pipe ends when either side dies, so nobody is left.
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

from core.datasets.decode import Target
from core.datasets.reader import Where
from core.datasets.value_range import Measured
from core.system.settings import PROGRAM

WORKER = "core.datasets.decode_worker"
CHUNK_IMAGES = 64
CHUNK_BYTES = 8 * 1024**2  # of pixels, so that large images do not fill the memory
MAX_WORKERS = 16
POLL_S = 0.2


Answer = TypeVar("Answer")


class DiskFull(OSError):
    """The decoded images could not be written."""


class Cancelled(Exception):
    """Somebody asked the work to stop."""


@dataclass(frozen=True)
class Chunk:
    """A run of images. first: its first row; offset and length: its line in the plan file."""

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
    """One process a core that this process may use."""
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
    """Decode every place into its row of the file `images`; yields what became of them, chunk by chunk.

    mirrored: rows to flip left to right. folder: where the plan may be written.
    A worker that dies of an image (a crash in a decoder) costs that image alone.
    Raises DiskFull, or Cancelled soon after `cancelled()` turns true. Closing the iterator stops the workers.
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
    """The values of every image deeper than 8 bits, chunk by chunk; None for any other. As `decode_all`."""
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
    """Hand the places out in chunks of `step` and yield the answers. read: an answer for a row, from JSON."""
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
            for _ in range(2):  # one in work and one at hand, so that no worker waits for this process
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
    """One decoding process and the chunks it holds, the one it is working on first."""

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
        """Hand the next waiting chunk to the process, if there is one."""
        if waiting:
            self.held.append(waiting.popleft())
            self._write(f"{self.held[-1].offset} {self.held[-1].length}")

    def read(self) -> Iterator[dict[str, Any]]:
        """The answers that have arrived; `died` is set when no more can come.

        Raises RuntimeError when the process never got as far as reading a chunk.
        """
        arrived = os.read(self.stdout.fileno(), 1024**2)
        self.died = not arrived
        *lines, self._unread = (self._unread + arrived).split(b"\n")
        for line in lines:
            if self.ready:
                yield json.loads(line)
            self.ready = True  # the first line only says so
        if self.died and not self.ready:
            raise RuntimeError(
                f"The decoding process does not start: {sys.executable} -m {WORKER} in {PROGRAM}."
            )

    def stop(self) -> None:
        """Wait for a process that has nothing left to do, and close its pipes."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        self.process.wait()
        self.stdout.close()

    def _write(self, line: str) -> None:
        with suppress(
            BrokenPipeError
        ):  # it died; its end of stdout tells, and its chunks are handed out again
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
    """Why an image is not read whose decoder has ended. code: its exit status, negative for a signal."""
    if code == -signal.SIGXCPU:
        return "takes too much of a processor's time to decode"
    return f"ends the decoder (exit status {code})"


def _after_crash(worker: Worker, waiting: deque[Chunk], plan: Path) -> list[Failure]:
    """Hand out again what a dead worker held; the chunk it was at image by image, to find the culprit."""
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
