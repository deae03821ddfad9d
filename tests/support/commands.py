"""The command line, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from core.__main__ import main
from core.system import settings as settings_module
from core.system.settings import PROGRAM
from core.tracking.patience import IMPATIENT


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in this process: what it prints and how it exits, without three seconds of imports."""
    code = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(StringIO()) as stdout,
        redirect_stderr(StringIO()) as stderr,
    ):
        patch.setattr(sys, "argv", ["core", *arguments])
        for name in set(IMPATIENT) - set(os.environ):  # a command sets these: undone after it
            patch.setenv(name, "")
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        settings_module.get_settings.cache_clear()
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    settings_module.get_settings.cache_clear()
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments], cwd=PROGRAM, capture_output=True, text=True, timeout=240
    )
