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

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.settings import PROGRAM, Settings
from tests.conftest import Trained, using
from tests.waiting import wait_for

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


expect.set_options(timeout=60_000)  # Streamlit draws when its script has run, on a busy machine late


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and in CI the browser tests must run.")
        pytest.skip("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@contextmanager
def dashboard() -> Iterator[str]:
    """The dashboard on the home of this process, served on a free port; its address."""
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
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).status == 200
        except (urllib.error.URLError, OSError):
            return False

    wait_for(answers)
    yield url
    process.terminate()
    process.wait(30)


@pytest.fixture
def address(empty_home: Settings) -> Iterator[str]:
    """A dashboard on a home that does not exist yet."""
    with dashboard() as url:
        yield url


@pytest.fixture(scope="module")
def _trained_address(_trained: Trained) -> Iterator[str]:
    with using(_trained.settings.home), dashboard() as url:
        yield url


@pytest.fixture
def trained_address(trained: Trained, _trained_address: str) -> str:
    """A dashboard on the home with one finished run, the same for all tests."""
    return _trained_address
