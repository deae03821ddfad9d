"""Take the README's screenshots from the running program: `make screenshots`.

Trains the quickstart in a home of its own, opens every page in headless Chromium, writes docs/*.png.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PROGRAM = Path(__file__).resolve().parent.parent
DOCS = PROGRAM / "docs"
WIDTH, HEIGHT = 1280, 860
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
sys.path.insert(0, str(PROGRAM))


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is missing: install the package chromium.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["ARCHLAB_HOME"] = folder  # of the commands below as well
        environment = {**os.environ, "STREAMLIT_SERVER_HEADLESS": "true"}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "core"]
        dashboard = subprocess.Popen(
            [*command, "dashboard", "--port", str(port)], cwd=PROGRAM, env=environment
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        try:
            take_all(page, f"http://127.0.0.1:{port}")
        finally:
            dashboard.terminate()
            subprocess.run([*command, "worker", "--stop"], cwd=PROGRAM, env=environment, check=False)
            dashboard.wait()


def take_all(page: Page, address: str) -> None:
    """Every page, in the order of the README's tour; the Overview while it trains."""
    wait_for_server(page, address)
    page.get_by_role("button", name="Start the quickstart").click()
    page.get_by_text("2 queued").wait_for(timeout=60_000)
    shoot(visit(page, address, "Queue"), "queue", height=620)
    page.goto(address)
    page.get_by_text(" left · ").first.wait_for(timeout=180_000)
    shoot(page, "overview")
    page.get_by_text("No run is training or queued.").wait_for(timeout=300_000)
    shoot(visit(page, address, "Data"), "data")
    shoot(visit(page, address, "Train?architectures=lenet5&architectures=resnet_cifar"), "train")
    best = "&".join(f"runs={run_id}" for run_id in two_runs())
    visit(page, address, f"Compare?{best}").get_by_text("validation loss").last.wait_for(timeout=60_000)
    shoot(page, "compare", height=1500)
    shoot(visit(page, address, "Run"), "run", height=1700)
    visit(page, address, "Architectures?view=One+model&net=resnet50")
    page.get_by_text("folded to").wait_for(timeout=120_000)
    shoot(page, "architectures", height=1040)
    both = "&".join(f"run={run_id}" for run_id in two_runs())
    visit(page, address, f"Predict?show=Hardest&{both}")
    page.get_by_role("progressbar").last.wait_for(timeout=60_000)
    shoot(page, "predict", height=1180)


def wait_for_server(page: Page, address: str) -> None:
    for _ in range(120):
        try:
            page.goto(address)
            return
        except Exception:  # not listening yet
            time.sleep(0.5)
    sys.exit("The dashboard did not start.")


def visit(page: Page, address: str, path: str) -> Page:
    page.goto(f"{address}/{path}")
    page.get_by_role("heading", level=1).wait_for(timeout=60_000)
    return page


def shoot(page: Page, name: str, height: int = HEIGHT) -> None:
    """One small PNG: half the pixels, 128 colours."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(4000)  # charts fade in
    path = DOCS / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as image:
        small = image.convert("RGB").resize((WIDTH * 3 // 4, height * 3 // 4), Image.Resampling.LANCZOS)
    small.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def two_runs() -> list[str]:
    """The ids of the quickstart's residual model and of its LeNet."""
    answer = subprocess.run(
        [sys.executable, "-m", "core", "list", "runs", "--json"],
        cwd=PROGRAM,
        capture_output=True,
        text=True,
        check=True,
    )
    return [run["run_id"] for run in json.loads(answer.stdout) if not run["name"].startswith("conv3")]


if __name__ == "__main__":
    main()
