"""How long do pages take that read many runs, and what does that take of the server?

    python -m benchmarks.dashboard reads [--runs 10000] [--params 0] [--metrics 0]
    python -m benchmarks.dashboard pages [--runs 10000]

Both make a store with finished runs as this program logs them, 30 epochs each (`benchmarks.large_store`).
`reads`, in one process and in turn: the first read of what Compare shows, and of all there is; again, with
nothing written; again, after a training has logged an epoch; the curves of 50 runs; and for comparison
`mlflow.search_runs` of the same runs, once. `pages`: in Chromium, from the click in the navigation, Enter in
the filter or the click on a tick until the page is still, and the processor time that the server took for it.

Processor time in seconds, of this process or of the server; memory as the process keeps it (RSS).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks.large_store import fill
from core.config import ExperimentConfig
from core.system import settings as settings_module
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store

CURVES = 50
SHOWN = (  # columns of the table that Compare shows first, and what it needs beside them
    *(
        "model.name",
        "data.name",
        "test_accuracy",
        "best_val_accuracy",
        "best_epoch",
        "val_accuracy",
        "parameters",
    ),
    *("train_seconds", "seed", schema.NUMBER, schema.PROGRESS),
)
PAGES = ("Compare", "Run", "Queue", "Overview")
STILL_S = 1.0  # a page that has not changed for so long has settled


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["reads", "pages"])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--params", type=int, default=0, help="parameters beyond those of the program")
    parser.add_argument("--metrics", type=int, default=0, help="metrics beyond those of the program")
    parser.add_argument(
        "--home", help="a folder with such a store, made where it is missing; default: a temporary one"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = options.home or folder
        settings_module.get_settings.cache_clear()
        store = get_store()
        if not store.read.run_ids():
            began = time.perf_counter()
            fill(store, options.runs, options.params, options.metrics)
            size = store.settings.database.stat().st_size >> 20
            print(f"{options.runs} runs made in {time.perf_counter() - began:.0f} s, {size} MiB")
        reads(store) if options.what == "reads" else pages()


def reads(store: RunStore) -> None:
    running = store.create(ExperimentConfig())
    store.set_status(running, schema.RUNNING)
    print_taken("first read of Compare's columns", lambda: frames.runs(store, SHOWN))
    print_taken("again, nothing written", lambda: frames.runs(store, SHOWN), 50)
    epoch = iter(range(1, 10_000))

    def log() -> None:
        store.log_metrics(running, {"loss": 1.0, "val_accuracy": 0.5}, next(epoch))
        store.set_tags(running, {schema.PROGRESS: f'{{"epoch": {next(epoch)}}}'})

    print_taken("again, after an epoch was logged", lambda: frames.runs(store, SHOWN), 10, log)
    print_taken("first read of all columns", lambda: frames.runs(store))
    print_taken("again, after an epoch was logged", lambda: frames.runs(store), 10, log)
    ids = store.read.run_ids()[:CURVES]
    print_taken(f"curves of {CURVES} runs", lambda: frames.histories(store, ids), 5)
    print(f"{'memory':42} {psutil.Process().memory_info().rss >> 20} MiB")
    import mlflow

    mlflow.set_tracking_uri(store.uri)
    print_taken(
        "mlflow.search_runs", lambda: mlflow.search_runs(search_all_experiments=True, max_results=100_000)
    )
    store.set_status(running, schema.FINISHED)


def print_taken(
    what: str, act: Callable[[], Any], rounds: int = 1, before: Callable[[], None] = lambda: None
) -> None:
    taken = []
    for _ in range(rounds):
        before()
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    print(f"{what:42} {sorted(taken)[len(taken) // 2]:8.4f} s", flush=True)


def pages() -> None:
    from playwright.sync_api import sync_playwright

    from tests.support.dashboards import CHROMIUM, FLAGS, is_served, start_dashboard
    from tests.support.waiting import wait_for

    began = time.perf_counter()
    server, url = start_dashboard()
    try:
        wait_for(lambda: is_served(url))
        process = psutil.Process(server.pid)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            settle(page)
            print(
                f"{'Overview, after the start of the server':42} {time.perf_counter() - began:6.2f} s",
                flush=True,
            )
            for name in (*PAGES, *PAGES):
                used, clicked = used_by(process), time.perf_counter()
                page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
                still_since = settle(page)
                print(
                    f"{name:42} {still_since - clicked:6.2f} s, server {used_by(process) - used:6.2f} s",
                    flush=True,
                )
            interact(page, process)
            print(f"{'memory of the server':42} {process.memory_info().rss >> 20} MiB")
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def interact(page: Any, process: psutil.Process) -> None:
    """Filter the table of Compare, and tick and untick its first row."""
    page.get_by_test_id("stSidebar").get_by_role("link", name="Compare", exact=True).click()
    settle(page)
    table = page.get_by_test_id("stDataFrame").first
    field = page.get_by_role("textbox", name="Filter")

    def tick() -> None:
        table.scroll_into_view_if_needed()
        place = table.bounding_box()
        page.mouse.click(place["x"] + 18, place["y"] + 52)  # the box of the first row

    def narrow(text: str) -> None:
        field.fill(text)
        field.press("Enter")

    steps: list[tuple[str, Callable[[], None]]] = [
        ("Compare, a filter", lambda: narrow("model = lenet5 and val_accuracy > 50%")),
        ("Compare, another filter", lambda: narrow("model = vgg16")),
        ("Compare, no filter", lambda: narrow("")),
        ("Compare, a tick", tick),
        ("Compare, no tick", tick),
        ("Compare, the same tick", tick),
    ]
    for what, act in steps:
        used, began = used_by(process), time.perf_counter()
        act()
        since = settle(page) - began
        print(f"{what:42} {since:6.2f} s, server {used_by(process) - used:6.2f} s", flush=True)


def used_by(process: psutil.Process) -> float:
    """The processor time of the server, without the worker and the prediction process that it has started."""
    return sum(process.cpu_times()[:2])


def settle(page: Any) -> float:
    """Wait until the page is still; returns since when it has been."""
    before, since = "", time.perf_counter()
    while time.perf_counter() - since < STILL_S:
        running = page.get_by_test_id("stStatusWidget").count()
        now = page.locator("[data-testid=stMain]").first.inner_html() + str(running)
        if running or now != before:
            before, since = now, time.perf_counter()
        page.wait_for_timeout(50)
    return since


if __name__ == "__main__":
    main()
