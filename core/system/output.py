"""Print to a log file without failing: on a full disk, lines of the log are lost and nothing else."""

from __future__ import annotations

import io
import os
import sys


class Log(io.RawIOBase):
    """A file descriptor to print to. Bytes that it does not accept are dropped; their number is logged."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.lost = 0  # bytes, since the last successful write

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        text = bytes(data)
        note = f"[{self.lost:,} bytes of this log were not written]\n".encode() if self.lost else b""
        try:
            written = os.write(self.descriptor, note + text)
        except OSError:
            self.lost += len(text)
        else:
            self.lost = max(0, len(note) + len(text) - written)
        return len(text)


def print_whatever_happens() -> None:
    """Make printing in this process never fail, not even the interpreter's last flush.

    Otherwise a full disk would end every process that prints to a file on it. Call it before `redact_output`,
    which wraps the present streams.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:
            log = io.BufferedWriter(Log(stream.fileno()))  # type: ignore[type-var]
            setattr(sys, name, io.TextIOWrapper(log, "utf-8", "backslashreplace", line_buffering=True))
