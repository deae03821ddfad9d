"""Decode images of visitors in processes that are limited in memory and time.

A decoder that hangs or crashes is replaced, and costs that image alone. The number of decoders bounds the
memory, whatever is uploaded.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Semaphore
from typing import Any

import numpy as np

from core.images.decode import Decoded, Unreadable
from core.images.decode_pool import why_it_ended
from core.images.target import Target
from core.system.settings import PROGRAM

PROGRAM_NAME = "core.images.decode_alone"
DECODERS = 2
MEMORY = 1 << 30  # bytes that a decoder may take
CPU_S, WALL_S = 15, 45.0  # seconds that an image may take, of a processor and in all
QUICK_S = 5.0  # an image that takes longer is moved to the decoder for slow images
POLL_S = 0.1
INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")  # nothing secret


class Gone(Exception):
    """The client that sent the image has disconnected."""


class TooLong(Unreadable):
    """An image was not decoded in the time limit."""


class Decoders:
    """A pool of decoders that are started when they are needed. Safe to use from several threads.

    An image that takes longer than `quick_s` is decoded again by the only decoder for slow images: slow
    images wait for each other, and delay quick ones by at most `quick_s`.

    Args:
        count: how many quick images are decoded at once, at most.
        memory: bytes per decoder.
        cpu_s: seconds of processor time per image.
        wall_s: seconds per image.
    """

    def __init__(
        self,
        count: int = DECODERS,
        memory: int = MEMORY,
        cpu_s: int = CPU_S,
        wall_s: float = WALL_S,
        quick_s: float = QUICK_S,
    ):
        self.memory, self.cpu_s, self.wall_s, self.quick_s = memory, cpu_s, wall_s, quick_s
        self._quick, self._slow = Semaphore(count), Semaphore(1)
        self._idle: list[Decoder] = []
        self._lock = Lock()

    def decode(self, data: bytes, target: Target, gone: Callable[[], bool] = lambda: False) -> Decoded:
        """Decode one image file, as `core.images.decode.decode_image` does.

        Args:
            data: bytes of the file.
            target: of the decoding.
            gone: polled several times a second: whether the client has disconnected.

        Raises:
            Unreadable: also for an image that takes too much memory or time.
            Gone: the client has disconnected.
        """
        if self.quick_s >= self.wall_s:
            return self._decode(self._quick, self.wall_s, data, target, gone)
        with suppress(TooLong):
            return self._decode(self._quick, self.quick_s, data, target, gone)
        return self._decode(self._slow, self.wall_s - self.quick_s, data, target, gone)

    def _decode(
        self, free: Semaphore, wall_s: float, data: bytes, target: Target, gone: Callable[[], bool]
    ) -> Decoded:
        while not free.acquire(timeout=POLL_S):
            if gone():
                raise Gone
        try:
            with self._lock:
                decoder = self._idle.pop() if self._idle else None
            if decoder is None or decoder.process.poll() is not None:
                decoder = Decoder(self.memory, self.cpu_s)
            try:
                found = decoder.decode(data, target, time.monotonic() + wall_s, gone)
            except BaseException:
                decoder.stop()
                raise
            if decoder.ends:
                decoder.stop()
            else:
                with self._lock:
                    self._idle.append(decoder)
        finally:
            free.release()
        if isinstance(found, Unreadable):
            raise found
        return found

    def start_ahead(self) -> None:
        """Start one decoder, so that the first image does not wait for it."""
        with self._lock:
            self._idle.append(Decoder(self.memory, self.cpu_s))

    def close(self) -> None:
        """End the idle decoders."""
        with self._lock:
            while self._idle:
                self._idle.pop().stop()


class Decoder:
    """One process, which decodes one image after the other. ends: it accepts no further image."""

    ends = False

    def __init__(self, memory: int, cpu_s: int):
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM_NAME, str(memory), str(cpu_s)],
            cwd=PROGRAM,
            env={**environment, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def decode(
        self, data: bytes, target: Target, give_up: float, gone: Callable[[], bool]
    ) -> Decoded | Unreadable:
        """Return the image, or why it is unreadable.

        Raises Unreadable when the process must not be reused; Gone.
        """
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the exit status is checked below
            header = json.dumps({"bytes": len(data), "target": list(target)})
            self.process.stdin.write(header.encode() + b"\n" + data)
            self.process.stdin.flush()
        read = self._reader(give_up, gone)
        received = bytearray()
        while b"\n" not in received:
            received += read()
        line, _, pixels = bytes(received).partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        received = bytearray(pixels)
        while len(received) < answer["bytes"]:
            received += read()
        self.ends = answer["ends"]
        if "error" in answer:
            return Unreadable(answer["error"])
        facts = answer["facts"]
        if facts["value_range"] is not None:
            facts["value_range"] = tuple(facts["value_range"])
        return Decoded(pixels=np.frombuffer(bytes(received), np.uint8).reshape(answer["shape"]), **facts)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        with self.process:  # closes its pipes and waits for it
            pass

    def _reader(self, give_up: float, gone: Callable[[], bool]) -> Callable[[], bytes]:
        """Return a function that returns the next bytes of an answer.

        It raises Unreadable at their end, Gone.
        """
        assert self.process.stdout is not None
        file = self.process.stdout.fileno()

        def read() -> bytes:
            with selectors.DefaultSelector() as selector:
                selector.register(file, selectors.EVENT_READ)
                while not selector.select(POLL_S):
                    if gone():
                        raise Gone
                    if time.monotonic() > give_up:
                        raise TooLong("takes too long to decode")
            if not (data := os.read(file, 1 << 20)):
                raise Unreadable(why_it_ended(self.process.wait()))
            return data

        return read
