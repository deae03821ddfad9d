"""Processes of which an installation has one, that outlive whoever started them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.system.environment import process_environment
from core.system.files import write_whole
from core.system.log_limit import cap, keep_short
from core.system.process_ids import is_alive, lives_here, process_name, this_process
from core.system.settings import PROGRAM, Settings

START_S = 60.0  # after this long without the lock a process that was started is given up
END_S = 180.0  # how long a process waits for the one before it that is about to end


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
        try:
            file = os.open(self._file("lock"), os.O_RDONLY)  # which a disk that was made read-only allows
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def ensure(self) -> None:
        """Start the process where none runs, without waiting for it. Cheap when one does.

        One that is about to end serves nobody any more: the next one then waits for its lock.
        """
        if self._is_serving():
            return
        self.settings.check_writable()
        with FileLock(self._file("start.lock")):
            if self._is_serving() or self._is_starting():
                return
            process = spawn(self.settings, list(self.arguments), self._file("log"))
            write_whole(self._file("starting"), process_name(process.pid))

    def stop(self) -> bool:
        """Ask the process to end; false when none runs. A process of another machine is never signalled."""
        if not self.is_running() and not self._is_starting():
            return False
        for owner in (self._read("pid"), self._read("starting")):
            if lives_here(owner):
                os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGTERM)
                return True
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the process, for as long as the block runs. Raises DaemonExists when another one is."""
        self.settings.check_writable()
        try:
            with FileLock(self._file("lock"), timeout=END_S if self._is_ending() else 2):
                write_whole(self._file("pid"), this_process())
                keep_short(self._file("log"))
                yield
        except Timeout as error:
            raise DaemonExists(f"A {self.name} already serves {self.settings.home}.") from error

    def say_ending(self) -> None:
        """Write down that this process is about to end, if it is the one that serves."""
        if self._read("pid") == this_process():
            self.retire(this_process())

    def retire(self, holder: str) -> None:
        """Ask a process to finish its work and end, and let `ensure` start the next one meanwhile.

        holder: the name of the process; nothing happens to another one that serves by now.
        """
        write_whole(self._file("ending"), holder)

    def is_retired(self) -> bool:
        """Whether this process was asked to finish its work and end."""
        return self._read("ending") == this_process()

    def _is_serving(self) -> bool:
        """Whether a process holds the lock and is neither about to end nor dying, its files still open."""
        return self.is_running() and not self._is_ending() and is_alive(self._read("pid"))

    def _is_ending(self) -> bool:
        holder = self._read("pid")
        return bool(holder) and self._read("ending") == holder

    def _is_starting(self) -> bool:
        file, name = self._file("starting"), self._read("starting")
        young = bool(name) and time.time() - file.stat().st_mtime < START_S
        return young and name != self._read("pid") and lives_here(name)

    def _read(self, suffix: str) -> str:
        try:
            return self._file(suffix).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _file(self, suffix: str) -> Path:
        return self.settings.home / f"{self.name}.{suffix}"


def spawn(settings: Settings, arguments: list[str], log: Path) -> subprocess.Popen:
    """Start a Python process that outlives this one; what it prints goes to `log`."""
    with suppress(OSError):  # there is none yet, or its disk takes nothing
        cap(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROGRAM,
            env=process_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
