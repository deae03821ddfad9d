"""Train through the queue, and with bare Keras, for the GPU benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Thread
from typing import Any

import numpy as np

from benchmarks.gpu_scale import CIFAR, LARGE, Scale
from core.config import ExperimentConfig
from core.datasets import SUBSETS
from core.datasets.drafts import draft
from core.datasets.store_write import write_arrays
from core.inference.client import predict
from core.jobs.logs import read_log
from core.launching.launch import launch
from core.system import devices
from core.system import settings as settings_module
from core.system.memory import Memory
from core.system.settings import PROGRAM
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store


def predicted(run_id: str) -> str:
    """Return the most probable class of a black image, by the prediction process."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    (answer,) = predict(settings_module.get_settings(), run_id, [buffer.getvalue()])
    return f"{answer.classes[0]}, {answer.probabilities[0]:.2f}"


@dataclass(frozen=True)
class Measured:
    """One training run. problem: empty if it finished. rate: images/s of its best epoch after the first."""

    problem: str = ""
    seconds: float = 0.0
    first_step: float = 0.0
    rate: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    run_id: str = ""

    @property
    def peak(self) -> int:
        """The peak of GPU memory in bytes; 0 without a GPU."""
        return int(self.metrics.get("gpu_peak_bytes", 0))

    def figures(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "first_step": self.first_step, "images_per_second": self.rate} | {
            name: self.metrics[name]
            for name in ("test_accuracy", "train_seconds", "gpu_peak_bytes", "latency_ms")
            if name in self.metrics
        }


def speed_config(model: str, scale: Scale) -> ExperimentConfig:
    large = model == "resnet50"
    values: dict[str, Any] = {
        "data.name": LARGE if large else CIFAR,
        "data.validation_fraction": 0,
        "model.name": model,
        "training.batch_size": scale.large_batch if large else scale.batch,
        "training.epochs": scale.epochs,
        "optimizer.name": "sgd",
        "optimizer.learning_rate": 0.01,
    }
    if model == "resnet_cifar":
        values["model.options.depth"] = scale.depth
    return ExperimentConfig().with_values(values)


def random_images(name: str, count: int, side: int, test: int = 0) -> Any:
    """Make a dataset of random pixels with ten classes; its last `test` images are the test set."""
    from core.datasets import DatasetInfo
    from core.datasets.records import Arrays

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    labels = np.arange(count) % 10
    subsets = (np.arange(count) >= count - test).astype(np.int8) * SUBSETS.index("test")
    with draft(name, overwrite=True) as folder:
        info = DatasetInfo(name, "Random pixels", (side, side, 3), tuple(map(str, range(10))), {})
        return write_arrays(folder, info, Arrays(images, labels, subsets, [str(row) for row in range(count)]))


def measure(config: ExperimentConfig) -> Measured:
    """Train a config through the queue and wait until it has ended."""
    began = time.time()
    (run_id,) = launch([config])
    return finished(get_store(), run_id, began)


def finished(store: RunStore, run_id: str, began: float) -> Measured:
    while store.state(run_id).active:
        time.sleep(0.2)
    seconds = time.time() - began
    state = store.state(run_id)
    memory = Memory.read(store.settings.memory_file(run_id))
    if state.status != schema.FINISHED:
        reason = state.tags.get(schema.FAILURE) or read_log(store, run_id)[-300:]
        return Measured(f"{state.status}: {reason}", seconds, memory=memory)
    history = frames.histories(store, [run_id], ["images_per_second"])
    rates = history.loc[history["step"] > 1, "value"]
    _, _, stamp = read_log(store, run_id).partition("first step at ")
    first = datetime.fromisoformat(stamp.splitlines()[0].strip()).timestamp() - began if stamp else 0.0
    metrics = dict(store.run(run_id).data.metrics)
    return Measured("", seconds, first, float(rates.max()) if len(rates) else 0.0, metrics, memory, run_id)


BARE = """
import json, sys, time
import keras, numpy as np
from core import datasets
from core.architectures import build_model

class Watch(keras.callbacks.Callback):
    seconds = []
    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        Watch.seconds.append(time.perf_counter() - self.began)

asked = json.loads(sys.argv[1])
if asked["precision"] != "float32":
    keras.config.set_dtype_policy("mixed_" + asked["precision"])
found = datasets.load(asked["data"])
rows = found.indices("train")
images, labels = found.images[rows].astype("float32") / 255, found.labels[rows]
model = build_model(asked["model"], images.shape[1:], 10, **asked["options"])
optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images, labels, batch_size=asked["batch"], epochs=asked["epochs"], verbose=0, callbacks=[Watch()])
print("RESULT", json.dumps(len(images) / min(Watch.seconds[1:])))
"""


def bare_fit(config: ExperimentConfig) -> Measured:
    """Train the same with the shortest Keras script: float32 images in memory, nothing else."""
    part = config.training
    asked = {
        "data": config.data.name,
        "model": config.model.name,
        "options": dict(config.model.options),
        "batch": part.batch_size,
        "epochs": part.epochs,
        "precision": part.precision,
    }
    began = time.time()
    answer = subprocess.run(
        [sys.executable, "-c", BARE, json.dumps(asked)], cwd=PROGRAM, capture_output=True, text=True
    )
    if "RESULT " not in answer.stdout:
        return Measured((answer.stderr.strip().splitlines() or ["no answer"])[-1][:300])
    return Measured("", time.time() - began, rate=json.loads(answer.stdout.split("RESULT ")[1]))


@contextmanager
def watched_gpu() -> Iterator[Callable[[], int]]:
    """Poll the GPUs twice a second.

    Yields a function that returns the highest use so far in percent, or 0.
    """
    seen, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(0.5):
            seen.extend(gpu.utilisation or 0 for gpu in devices.gpus())

    thread = Thread(target=watch, daemon=True)
    if devices.gpu_numbers():
        thread.start()
    try:
        yield lambda: max(seen)
    finally:
        ended.set()
