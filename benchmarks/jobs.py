"""What does the engine cost, and how soon does it act?

    python -m benchmarks.jobs idle [--seconds 60]
    python -m benchmarks.jobs start [--rounds 10]
    python -m benchmarks.jobs first-step [--rounds 10]
    python -m benchmarks.jobs queue [--runs 1000] [--rounds 10]

`idle`: processor time and memory of a worker that has nothing to do, in a store with some runs. `start`: from
the call of `launch` to RUNNING, with a free slot and a worker that was idle before. `first-step`: from the
call of `launch` to the first training step of lenet5 on digits, with a spare process that waits, against the
shortest Keras script from its start to its first step, in turns; and what a waiting spare takes. `queue`:
with this number of waiting runs, from the click on Queue in the navigation until the browser has the table.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime

import psutil

from core.config import ExperimentConfig
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.launching.launch import launch
from core.system import settings as settings_module
from core.tracking import schema
from core.tracking.store import RunStore, get_store

SETTLE_S = 15.0  # a worker that has just begun still imports


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["idle", "start", "first-step", "queue"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = folder
        settings_module.get_settings.cache_clear()
        store = get_store()
        for _ in range(5):
            store.set_status(store.create(ExperimentConfig()), schema.FINISHED)
        if options.what == "queue":
            queue(store, options.runs, options.rounds)
            return
        worker = worker_of(store.settings)
        worker.ensure()
        time.sleep(SETTLE_S)
        try:
            if options.what == "idle":
                idle(store, options.seconds)
            elif options.what == "start":
                start(store, options.rounds)
            else:
                first_step(store, options.rounds)
        finally:
            worker.stop()
            while worker.is_running():
                time.sleep(0.1)


def idle(store: RunStore, seconds: float) -> None:
    pid = int((store.settings.home / "worker.pid").read_text().rsplit(":", 2)[1])
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    used = sum(process.cpu_times()[:2]) - before
    memory = process.memory_full_info()
    print(
        f"an idle worker takes {used / seconds:.2%} of a core and {memory.uss / 2**20:.0f} MiB of its own "
        f"({memory.rss / 2**20:.0f} MiB with what it shares)"
    )


def start(store: RunStore, rounds: int) -> None:
    found = []
    for number in range(rounds):
        began = time.perf_counter()
        (run_id,) = launch([ExperimentConfig(seed=number)])
        launched = time.perf_counter()
        while store.state(run_id).status == schema.SCHEDULED:
            time.sleep(0.005)
        found.append(time.perf_counter() - began)
        print(f"launch {launched - began:.2f} s, RUNNING after {found[-1]:.2f} s", flush=True)
        cancel(store, run_id)
        while store.state(run_id).active:
            time.sleep(0.1)
    print(f"from launch to RUNNING: median {statistics.median(found):.2f} s of {rounds}")


SCRIPT = """
import keras
import numpy as np
images, labels = np.zeros((1293, 28, 28, 1), "float32"), np.zeros(1293, "int32")
model = keras.Sequential([
    keras.layers.Conv2D(6, 5, padding="same", activation="relu"), keras.layers.AveragePooling2D(2),
    keras.layers.Conv2D(16, 5, activation="relu"), keras.layers.AveragePooling2D(2), keras.layers.Flatten(),
    keras.layers.Dense(120, "relu"), keras.layers.Dense(84, "relu"), keras.layers.Dense(10, "softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
class First(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        import os
        os._exit(0)
model.fit(images, labels, batch_size=64, callbacks=[First()], verbose=0)
"""


def first_step(store: RunStore, rounds: int) -> None:
    pid = int((store.settings.home / "worker.pid").read_text().rsplit(":", 2)[1])
    (spare,) = [one for one in psutil.Process(pid).children() if "core.training.spare" in one.cmdline()]
    launches, scripts = [], []
    for number in range(rounds):
        began = time.time()
        subprocess.run([sys.executable, "-c", SCRIPT], check=True, stderr=subprocess.DEVNULL)
        scripts.append(time.time() - began)
        began = time.time()
        (run_id,) = launch([ExperimentConfig(seed=number).with_values({"training.epochs": 1})])
        while store.state(run_id).active:
            time.sleep(0.05)
        (found,) = re.findall("first step at (.*)", read_log(store, run_id))
        launches.append(datetime.fromisoformat(found).timestamp() - began)
        print(f"script {scripts[-1]:.2f} s, launch {launches[-1]:.2f} s", flush=True)
    memory = spare.memory_full_info()
    ratio = statistics.median(launches) / statistics.median(scripts)
    print(
        f"to the first step: {statistics.median(launches):.2f} s from launch, {ratio:.2f} of the "
        f"{statistics.median(scripts):.2f} s of the script (medians of {rounds}); the spare process has "
        f"{memory.rss / 2**20:.0f} MiB, {memory.uss / 2**20:.0f} MiB of them its own"
    )


def queue(store: RunStore, runs: int, rounds: int) -> None:
    from playwright.sync_api import sync_playwright

    from tests.support.dashboards import CHROMIUM, FLAGS, dashboard

    os.environ["ARCHLAB_ROLE"] = "viewer"  # no worker, so that nothing starts
    for number in range(runs):
        store.create(ExperimentConfig(seed=number))
    settings_module.get_settings.cache_clear()
    found = []
    with dashboard() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(url)
        for _ in range(rounds + 1):
            page.get_by_role("heading", name="Overview").wait_for()
            time.sleep(3)  # reads are cached for a second, and the page before is complete
            began = time.perf_counter()
            page.get_by_role("link", name="Queue", exact=True).click()
            page.locator(f"table[aria-rowcount='{runs + 1}'] td").first.wait_for(state="attached")
            found.append(time.perf_counter() - began)
            print(f"{found[-1]:.2f} s", flush=True)
            page.get_by_role("link", name="Overview", exact=True).click()
        browser.close()
    median = statistics.median(found[1:])
    print(f"a queue of {runs} is shown {median:.2f} s after the click; the first time {found[0]:.2f} s")


if __name__ == "__main__":
    main()
