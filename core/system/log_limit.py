"""Limit the size of logs: of one that has grown too long, only the last lines are kept."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from threading import Thread

from core.system.files import tail
from core.system.units import byte_size

LOG_LIMIT, LOG_KEPT = 64 << 20, 1 << 20  # bytes: a log larger than the first is cut to the second
LOOK_S = 5.0  # between two checks of a process's own log
CUT = "what was printed before is cut"  # how a log that was cut begins

logger = logging.getLogger(__name__)


def cap(log: Path) -> None:
    """Cut a log that has grown too long. Processes that append to it continue at its new end."""
    size = log.stat().st_size
    if size <= LOG_LIMIT:
        return
    end = tail(log, LOG_KEPT)
    os.truncate(log, 0)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{CUT}, about {byte_size(size - LOG_KEPT)}\n{end}")


def keep_short(log: Path) -> None:
    """Cap the log of this process as long as it runs."""
    Thread(target=_keep_short, args=(log,), name="log limit", daemon=True).start()


def _keep_short(log: Path) -> None:
    while True:
        try:
            cap(log)
        except FileNotFoundError:
            pass  # the process has no log file
        except OSError as error:  # a full disk, or one that is read-only for a while
            logger.warning("The log %s could not be cut: %s", log, error)
        time.sleep(LOOK_S)
