"""What a process prints must not end it, whatever its log file does; and no secret gets past that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.system.output import Log
from core.system.settings import PROGRAM

needs_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no device that is always full"
)
TALKS = (
    "for number in range(2000): print('a line of a log', number)\nprint('end', file=__import__('sys').stderr)"
)


@needs_full
@pytest.mark.parametrize(("before", "ends_well"), [("", False), ("print_whatever_happens()", True)])
def test_a_print_to_a_full_disk_ends_no_process(before: str, ends_well: bool) -> None:
    code = f"from core.system.output import print_whatever_happens\n{before}\n{TALKS}"
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=PROGRAM, stdout=full, stderr=full, check=False
        )
    assert (ended.returncode == 0) == ends_well


@needs_full
def test_lines_that_did_not_fit_are_counted_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = Log(os.open("/dev/full", os.O_WRONLY))
    assert log.write(b"lost\n") == 5
    assert log.write(b"lost too\n") == 9
    os.close(log.descriptor)
    log.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    log.write(b"written\n")
    log.write(b"and this\n")
    assert path.read_text() == "[14 bytes of this log were not written]\nwritten\nand this\n"
    os.close(log.descriptor)


def test_what_is_printed_has_no_secret_in_it() -> None:
    code = (
        "from core.system.output import print_whatever_happens\n"
        "from core.system.redaction import redact_output\n"
        "print_whatever_happens()\nredact_output()\nprint('the password is planted-secret')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROGRAM,
        env={**os.environ, "MLFLOW_TRACKING_PASSWORD": "planted-secret"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "the password is ***\n"
