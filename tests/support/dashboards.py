"""A real browser, and the dashboard as `make run` starts it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from core.system.settings import PROGRAM
from tests.support.servers import free_port
from tests.support.waiting import wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A test talks to this machine alone: what Chromium would ask of the world by itself is off.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


expect.set_options(timeout=120_000)  # Streamlit draws when its script has run, on a busy machine late


@contextmanager
def dashboard() -> Iterator[str]:
    """The dashboard on the home of this process, served on a free port; its address."""
    process, url = start_dashboard()
    try:
        wait_for(lambda: is_served(url))
        yield url
    finally:
        process.terminate()
        process.wait(30)


def start_dashboard() -> tuple[subprocess.Popen, str]:
    """A dashboard that may not listen yet, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "dashboard", "--port", str(port)],
        cwd=PROGRAM,
        env={**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"http://127.0.0.1:{port}"


@contextmanager
def page_alone(script: Path) -> Iterator[str]:
    """One script that Streamlit serves with the settings and the theme of the dashboard; its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)],
        cwd=PROGRAM,
        env={**os.environ, "PYTHONPATH": str(PROGRAM), "STREAMLIT_SERVER_HEADLESS": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_served(url), 120)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def is_served(url: str) -> bool:
    try:
        return urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).status == 200
    except (urllib.error.URLError, OSError):
        return False
