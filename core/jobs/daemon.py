"""Processes of which an installation has one, that outlive whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.settings import PROGRAM, Settings
from core.tracking.owners import lives_here, process_name, this_process

START_S = 60.0  # after this long without the lock a process that was started is given up


class DaemonExists(RuntimeError):
    """Another process of this kind serves this folder."""


@dataclass(frozen=True)
class Daemon:
    """One kind of process. It runs exactly as long as its lock is held: a lock dies with its holder, whatever
    killed it, and no number of a process can be mistaken for another.

    name: of its lock, its log and the file that says who it is. arguments: how Python starts it.
    """

    settings: Settings
    name: str
    arguments: tuple[str, ...]

    def is_running(self) -> bool:
        """Whether a process holds the lock."""
        if not self._file("lock").exists():
            return False
        try:
            with FileLock(self._file("lock"), timeout=0):
                return False
        except Timeout:
            return True

    def ensure(self) -> None:
        """Start the process where none runs, without waiting for it. Cheap when one does."""
        if self.is_running():
            return
        self.settings.check_writable()
        with FileLock(self._file("start.lock")):
            if self.is_running() or self._is_starting():
                return
            process = spawn(self.settings, list(self.arguments), self._file("log"))
            write_whole(self._file("starting"), process_name(process.pid))

    def stop(self) -> bool:
        """Ask the process to end; false when none runs. A process of another machine is never signalled."""
        if not self.is_running() and not self._is_starting():
            return False
        for file in (self._file("pid"), self._file("starting")):
            owner = file.read_text() if file.exists() else ""
            if lives_here(owner):
                os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGTERM)
                return True
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the process, for as long as the block runs. Raises DaemonExists when another one is."""
        self.settings.check_writable()
        try:
            with FileLock(self._file("lock"), timeout=2):
                write_whole(self._file("pid"), this_process())
                yield
        except Timeout as error:
            raise DaemonExists(f"A {self.name} already serves {self.settings.home}.") from error

    def _is_starting(self) -> bool:
        file = self._file("starting")
        try:
            young = time.time() - file.stat().st_mtime < START_S
            return young and lives_here(file.read_text())
        except FileNotFoundError:
            return False

    def _file(self, suffix: str) -> Path:
        return self.settings.home / f"{self.name}.{suffix}"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.write_text(text)
    draft.replace(path)


def spawn(settings: Settings, arguments: list[str], log: Path) -> subprocess.Popen:
    """Start a Python process that outlives this one; what it prints goes to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROGRAM,
            env={
                **os.environ,
                "ARCHLAB_HOME": str(settings.home),
                "MLFLOW_TRACKING_URI": settings.tracking_uri,
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
