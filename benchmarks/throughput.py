"""How fast is a whole run, against the shortest Keras script that trains the same?

    python -m benchmarks.throughput [--rounds 5] [--nets lenet5 resnet_cifar conv6]

For each model, in every round:
- script: a process of its own, `model.fit` on float32 arrays in memory, nothing else;
- run: through queue, worker, training process, tracking store and live progress, on the same images;
- augmented: the same run with flip and pad-and-crop.
Images per second are those of the training steps, without the first epoch, which compiles. A ratio is the
median of the rounds' own ratios, for a machine's speed drifts; where others use the machine at times, the
best epoch of all rounds says more. `first step` is the time from the script's start, or from the submission
of the run, to its first step. What tracking, progress and checkpoints take beside the steps is measured by
`benchmarks.overhead`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from core.config import ExperimentConfig
from core.datasets import DatasetInfo, drafts, store_write
from core.datasets.records import Arrays
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.settings import PROGRAM
from core.tracking import frames, schema
from core.tracking.store import get_store

SCRIPT = """
import json, sys, time
started = float(sys.argv[5])
import keras, numpy as np
from core.architectures import build_model

class Watch(keras.callbacks.Callback):
    first, seconds = None, []
    def on_train_batch_begin(self, batch, logs=None):
        Watch.first = Watch.first or time.time() - started
    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        Watch.seconds.append(time.perf_counter() - self.began)

name, batch, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with np.load(sys.argv[4]) as file:
    images, labels = file["images"].astype("float32") / 255, file["labels"]
model = build_model(name, images.shape[1:], 10, **json.loads(sys.argv[6]))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images, labels, batch_size=batch, epochs=epochs, verbose=0, callbacks=[Watch()])
rate = (epochs - 1) * len(images) / sum(Watch.seconds[1:])
best = len(images) / min(Watch.seconds[1:])
print("RESULT", json.dumps({"rate": rate, "best": best, "first_step": Watch.first}))
"""


@dataclass(frozen=True)
class Case:
    """A model on images of a size. options: of the model."""

    net: str
    shape: tuple[int, int, int]
    images: int
    batch: int
    epochs: int
    options: dict[str, int]


CASES = {
    "lenet5": Case("lenet5", (28, 28, 1), 20_000, 128, 6, {}),
    "resnet_cifar": Case("resnet_cifar", (32, 32, 3), 2_560, 128, 4, {"depth": 20}),
    "conv6": Case("conv6", (96, 96, 3), 800, 32, 4, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nets", nargs="+", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = f"{folder}/home"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        settings_module.get_settings.cache_clear()
        for name in options.nets:
            compare(CASES[name], options.rounds, Path(folder))
        worker_of(get_store().settings).stop()
        time.sleep(3)


def compare(case: Case, rounds: int, folder: Path) -> None:
    """Measure one model, round by round, and print medians and ratios."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (case.images, *case.shape), dtype=np.uint8)
    labels = generator.integers(0, 10, case.images)
    np.savez(folder / f"{case.net}.npz", images=images, labels=labels)
    classes = tuple(map(str, range(10)))
    subsets, names = np.zeros(case.images, np.int8), [str(row) for row in range(case.images)]
    with drafts.draft(case.net, overwrite=True) as draft:
        info = DatasetInfo(case.net, "Random pixels", case.shape, classes, {})
        store_write.write_arrays(draft, info, Arrays(images, labels, subsets, names))
    found: dict[str, list[dict[str, float]]] = {"script": [], "run": [], "augmented": []}
    for number in range(rounds):
        for way in sorted(found, reverse=number % 2 == 1):
            measured = script(case, folder) if way == "script" else run(case, way == "augmented")
            found[way].append(measured)
            print(f"{case.net} round {number + 1} {way:9} {measured}", flush=True)
    medians = {
        way: {key: statistics.median(one[key] for one in rows) for key in rows[0]}
        for way, rows in found.items()
    }
    base = medians["script"]
    best = {way: max(one["best"] for one in rows) for way, rows in found.items()}

    def times(way: str) -> float:
        rates = zip(found[way], found["script"], strict=True)
        return statistics.median(one["rate"] / other["rate"] for one, other in rates)

    print(
        f"{case.net}: script {base['rate']:,.0f} images/s, "
        f"run {times('run'):.2f} times, "
        f"augmented {times('augmented'):.2f} times; "
        f"best epochs {best['script']:,.0f}, {best['run'] / best['script']:.2f}, "
        f"{best['augmented'] / best['script']:.2f} times; "
        f"first step after {medians['run']['first_step']:.1f} s, the script's {base['first_step']:.1f} s"
    )


def script(case: Case, folder: Path) -> dict[str, float]:
    """Train with the shortest script; returns rate, best and first_step."""
    arguments = [case.net, str(case.batch), str(case.epochs), str(folder / f"{case.net}.npz")]
    command = [sys.executable, "-c", SCRIPT, *arguments, str(time.time()), json.dumps(case.options)]
    answer = subprocess.run(command, cwd=PROGRAM, capture_output=True, text=True, check=True)
    return json.loads(re.findall(r"RESULT (.*)", answer.stdout)[0])


def run(case: Case, augmented: bool) -> dict[str, float]:
    """Train through the queue; returns rate and first_step."""
    changes = {"augmentation.horizontal_flip": True, "augmentation.pad_and_crop": 4} if augmented else {}
    config = ExperimentConfig().with_values(
        {
            "data.name": case.net,
            "data.validation_fraction": 0,
            "model.name": case.net,
            "training.batch_size": case.batch,
            "training.epochs": case.epochs,
            **{f"model.options.{key}": value for key, value in case.options.items()},
            **changes,
        }
    )
    store = get_store()
    submitted = time.time()
    (run_id,) = launch([config])
    while store.state(run_id).active:
        time.sleep(1)
    log = read_log(store, run_id)
    assert store.state(run_id).status == schema.FINISHED, log
    history = frames.histories(store, [run_id], ["images_per_second"])
    table = history[history["step"] > 1].pivot(index="step", columns="metric", values="value")
    training = case.images / table["images_per_second"]
    first = re.search(r"first step at (.+)", log)
    assert first is not None, log
    return {
        "rate": float(case.images * len(table) / training.sum()),
        "best": float(table["images_per_second"].max()),
        "first_step": datetime.fromisoformat(first[1]).timestamp() - submitted,
    }


if __name__ == "__main__":
    main()
