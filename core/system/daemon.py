"""Long-lived processes of which an installation has one each: the worker and the prediction process."""

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

START_S = 60.0  # a process that was started and does not hold its lock by then counts as failed
END_S = 180.0  # how long a process waits for its predecessor to end


class DaemonExists(RuntimeError):
    """Another process of this kind serves the same home."""


@dataclass(frozen=True)
class Daemon:
    """One kind of process. It runs exactly as long as it holds its lock, which ends with the process.

    Args:
        settings: of the installation.
        name: of its lock, its log and the files with its process id.
        arguments: of the Python interpreter that starts it.
        title: what it is called in a sentence, after "A"; its name unless given.
    """

    settings: Settings
    name: str
    arguments: tuple[str, ...]
    title: str = ""

    def is_running(self) -> bool:
        """Return whether a process holds the lock."""
        try:
            file = os.open(
                self._file("lock"), os.O_RDONLY
            )  # so that it also works on a disk that became read-only
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def is_starting(self) -> bool:
        """Return whether a process was started that does not hold the lock yet; it takes seconds."""
        file, name = self._file("starting"), self._read("starting")
        young = bool(name) and time.time() - file.stat().st_mtime < START_S
        return young and name != self._read("pid") and lives_here(name)

    def ensure(self) -> None:
        """Start the process unless it runs, without waiting for it; cheap when it does.

        One that is about to end does not count: the new one waits for its lock.
        """
        if self._is_serving():
            return
        self.settings.check_writable()
        with FileLock(self._file("start.lock")):
            if self._is_serving() or self.is_starting():
                return
            process = spawn(self.settings, list(self.arguments), self._file("log"))
            write_whole(self._file("starting"), process_name(process.pid))

    def stop(self) -> bool:
        """Send SIGTERM to the process. Returns False when none runs. Never signals one on another machine."""
        if not self.is_running() and not self.is_starting():
            return False
        for owner in (self._read("pid"), self._read("starting")):
            if lives_here(owner):
                os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGTERM)
                return True
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock during the block. Raises DaemonExists when another process holds it."""
        self.settings.check_writable()
        try:
            with FileLock(self._file("lock"), timeout=END_S if self._is_ending() else 2):
                write_whole(self._file("pid"), this_process())
                keep_short(self._file("log"))
                yield
        except Timeout as error:
            raise DaemonExists(f"A {self.title or self.name} already serves {self.settings.home}.") from error

    def announce_end(self) -> None:
        """Announce that this process is about to end, if it is the one that holds the lock."""
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
        """Return whether a process holds the lock and is neither about to end nor exiting."""
        return self.is_running() and not self._is_ending() and is_alive(self._read("pid"))

    def _is_ending(self) -> bool:
        holder = self._read("pid")
        return bool(holder) and self._read("ending") == holder

    def _read(self, suffix: str) -> str:
        try:
            return self._file(suffix).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _file(self, suffix: str) -> Path:
        return self.settings.home / f"{self.name}.{suffix}"


def spawn(settings: Settings, arguments: list[str], log: Path) -> subprocess.Popen:
    """Start a Python process that outlives this one, in a session of its own; it prints to `log`."""
    with suppress(OSError):  # no log yet, or the disk refuses the write
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
