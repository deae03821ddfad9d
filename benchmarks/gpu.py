"""Does the program use a GPU as it should? One command, one table, and the same as JSON.

    python -m benchmarks.gpu [--data cifar10-images.tar.xz] [--out gpu.json] [--minutes 8] [--only PART ...]
    python -m benchmarks.gpu --rehearse            # the same parts on a CPU, with small models and few images

The backend is TensorFlow, or JAX where TensorFlow is not installed or KERAS_BACKEND says so. Each part runs
in a process of its own, with a time limit of its own; a part that fails, or for which no time is left, is a
row of the table. The JSON file is written after every part. docs/gpu.md describes the parts.

Without --data the images are random, and the accuracy of the recipe means nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from core.datasets.drafts import draft
from core.datasets.store_write import write_arrays

if (
    __name__ == "__main__"
    and "KERAS_BACKEND" not in os.environ
    and not importlib.util.find_spec("tensorflow")
):
    os.environ["KERAS_BACKEND"] = "jax"

import numpy as np

from core import recipes
from core.config import ExperimentConfig
from core.datasets import SUBSETS
from core.inference.client import inference_of, predict
from core.jobs.logs import read_log
from core.jobs.worker import worker_of
from core.launching.launch import cancel, launch
from core.system import devices
from core.system import settings as settings_module
from core.system.memory import MARGIN, Memory
from core.system.settings import PROGRAM
from core.system.units import byte_size
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store

CIFAR, LARGE, MANY = "cifar10", "gpu-large", "gpu-many"  # datasets of the benchmark's own home
GRACE_S = 20.0  # between the limit of a part and its end: what it started is cancelled


@dataclass(frozen=True)
class Row:
    """One line of the table. ok: whether it meets its target; None: it has none."""

    part: str
    what: str
    value: str
    ok: bool | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scale:
    """How large everything is. The first values are for a GPU, `REHEARSAL` has those for a CPU."""

    recipe: dict[str, Any] = field(default_factory=dict)  # settings of cifar10-fast that are changed
    aim: float = 0.94
    seconds: float = 60.0
    random_images: int = 12_000  # in place of CIFAR-10 where no --data is given
    side: int = 224
    large_images: int = 1024
    large_batch: int = 128
    batch: int = 512
    epochs: int = 4  # the first compiles and is not counted
    depth: int = 20
    precisions: tuple[str, ...] = ("bfloat16", "float32")
    models: tuple[str, ...] = ("resnet_cifar", "cuda_convnet", "resnet50")
    full_batch: int = 40_000  # of resnet_cifar 56 in float32: some 300 GiB
    full_depth: int = 56
    memory_mib: int = 0  # of the machine's memory that a training may take; 0: no limit
    idle_minutes: float = 0.1
    idle_epochs: int = 40  # of resnet50: long enough for several looks of the idle guard


REHEARSAL = Scale(
    recipe={"model.options.width": 0.125, "training.epochs": 2, "training.batch_size": 64},
    aim=0.0,
    seconds=3600.0,
    random_images=320,
    side=64,
    large_images=24,
    large_batch=8,
    batch=64,
    epochs=2,
    depth=8,
    full_batch=2_048,
    full_depth=20,
    memory_mib=3_000,
    idle_epochs=4,
)


# The parts, in order of importance: what comes late may find no time.


def machine(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Is a GPU there, does the backend see it, does the program name it?"""
    found = devices.gpus()
    yield Row("machine", "the sidebar says", devices.summary(), None)
    code = (
        "import json, keras; from core.training.device import on_gpu, precision, set_up_device;"
        "from core.config import TrainingConfig; set_up_device();"
        "print('RESULT', json.dumps([keras.backend.backend(), keras.distribution.list_devices(), on_gpu(),"
        "precision(TrainingConfig())]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True)
    if "RESULT " not in answer.stdout:
        yield Row("machine", "Keras", (answer.stderr.strip().splitlines() or ["no answer"])[-1], False)
        return
    backend, seen, on_gpu, precision = json.loads(answer.stdout.split("RESULT ")[1])
    expected = on_gpu or rehearse
    yield Row("machine", f"{backend} sees", ", ".join(seen) or "no device", bool(expected))
    yield Row("machine", "precision: auto chooses", precision, precision == "bfloat16" if on_gpu else None)
    yield Row("machine", "GPUs that the driver lists", str(len(found)), bool(found) or rehearse)


def data(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Prepare the images: CIFAR-10 from the archive, and random ones of 224×224."""
    from core.datasets.importer import import_images

    archive = os.environ.get("BENCHMARK_DATA")
    began = time.perf_counter()
    if archive:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
            inside = Path(folder)
            while not (inside / "train").exists() and len(list(inside.iterdir())) == 1:
                (inside,) = inside.iterdir()
            info = import_images(CIFAR, inside, size=32, replace=True)
    else:
        info = random_images(CIFAR, scale.random_images, 32, test=scale.random_images // 6)
    took = time.perf_counter() - began
    yield Row("data", "CIFAR-10 imported" if archive else "random 32×32 images", f"{took:.1f} s", None)
    random_images(LARGE, scale.large_images, scale.side)
    yield Row("data", f"images {'×'.join(map(str, info.shape))}", json.dumps(info.counts), None)


def fast(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """The recipe cifar10-fast, from the launch to its end, evaluation and saved model included."""
    (config,) = recipes.get("cifar10-fast").configs
    with watched_gpu() as busiest:
        run = measure(config.with_values(scale.recipe))
    if run.problem:
        yield Row("fast", "cifar10-fast", run.problem, False)
        return
    accuracy, metrics = run.metrics["test_accuracy"], run.metrics
    real = "BENCHMARK_DATA" in os.environ
    yield Row(
        "fast",
        f"launch to evaluated and saved, aim {scale.aim} in {scale.seconds:.0f} s",
        f"test accuracy {accuracy:.4f} after {run.seconds:.1f} s, of which {metrics['train_seconds']:.1f} s "
        f"of training; first step after {run.first_step:.1f} s",
        (accuracy >= scale.aim and run.seconds <= scale.seconds) if real and not rehearse else None,
        run.figures(),
    )
    yield Row("fast", "its saved model predicts", str(predicted(run.run_id)), True)
    if gpu := busiest():
        yield Row("fast", "the GPU was busy", f"{gpu} %", gpu > 20)
        logged = [name for name in metrics if name.startswith("system/gpu")]
        yield Row("fast", "the run shows the GPU's use", f"{len(logged)} metrics", bool(logged))


def predicted(run_id: str) -> str:
    """The most probable class of a black image, as the prediction process answers."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    (answer,) = predict(settings_module.get_settings(), run_id, [buffer.getvalue()])
    return f"{answer.classes[0]}, {answer.probabilities[0]:.2f}"


def speed(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Whole runs against bare `model.fit`: precision, images on the device or streamed, XLA."""
    for model in scale.models:
        rates: dict[str, float] = {}
        for way, changes in ways(scale):
            config = speed_config(model, scale).with_values(changes)
            bare = "bare" in way
            run = bare_fit(config) if bare else measure(config)
            if run.problem:
                yield Row("speed", f"{model}, {way}", run.problem, False)
                continue
            rates[way] = run.rate
            value = f"{run.rate:,.0f} images/s"
            base = rates.get(f"bare model.fit, {config.training.precision}")
            if not bare and base and "streamed" not in way:
                value += f", {run.rate / base:.2f} times bare"
            yield Row("speed", f"{model}, {way}", value, None, run.figures())
            if not bare and run.peak and run.memory:
                ratio = run.memory.total / run.peak
                yield Row(
                    "memory",
                    f"{model}, {way}: estimate against peak",
                    f"{byte_size(run.memory.total)} against {byte_size(run.peak)}, {ratio:.2f} times",
                    1 / MARGIN > ratio > MARGIN,
                    {"estimate": run.memory.total, "peak": run.peak},
                )
        if len(rates) > 1:
            ours = {way: rate for way, rate in rates.items() if "bare" not in way}
            best = max(ours or rates, key=lambda way: rates[way])
            yield Row("speed", f"{model}, fastest", f"{best}: {rates[best]:,.0f} images/s", None, rates)


def ways(scale: Scale) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is measured of each model: a name, and the settings that differ. Bare runs come first."""
    tensorflow = os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
    for precision in scale.precisions:
        set_ = {"training.precision": precision}
        yield f"bare model.fit, {precision}", set_
        yield f"{precision}, images on the device", set_ | {"training.images_on_device": "on"}
        if precision == scale.precisions[0]:
            yield f"{precision}, streamed", set_ | {"training.images_on_device": "off"}
            if tensorflow:
                yield f"{precision}, without XLA", set_ | {"training.xla": "off"}


def sharing(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Two trainings on one GPU at once: both end well, and neither takes all of its memory."""
    os.environ["ARCHLAB_SLOTS"] = "2"
    settings_module.get_settings.cache_clear()
    config = speed_config("resnet_cifar", scale)
    began = time.time()
    configs = [config.with_values({"seed": seed}) for seed in (1, 2)]
    run_ids = launch(configs)
    runs = [finished(get_store(), run_id, began) for run_id in run_ids]
    for run in runs:
        if run.problem:
            yield Row("sharing", "two trainings at once", run.problem, False)
            return
    rates = " and ".join(f"{run.rate:,.0f}" for run in runs)
    share = devices.gpu_share(devices.gpus()[0].device, 2) if devices.gpus() else 0
    peaks = [run.peak >> 20 for run in runs if run.peak]
    fits = None if not peaks or not share else all(peak <= share for peak in peaks)
    held = f"; peaks {peaks} MiB of {share} MiB each" if peaks else ""
    yield Row("sharing", "two trainings at once", f"{rates} images/s{held}", fits is not False)


def memory_limit(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Too large a batch: foreseen by the estimate, explained afterwards with one that fits."""
    if scale.memory_mib:
        os.environ["ARCHLAB_MEMORY"] = str(scale.memory_mib)
        settings_module.get_settings.cache_clear()
    random_images(MANY, scale.full_batch, 32)
    config = speed_config("resnet_cifar", scale).with_values(
        {
            "data.name": MANY,
            "model.options.depth": scale.full_depth,
            "training.batch_size": scale.full_batch,
            "training.precision": "float32",
            "training.images_on_device": "off",
        }
    )
    free = devices.free_memory(devices.gpus()[0].device if devices.gpus() else None, scale.memory_mib)
    run = measure(config)
    estimate = run.memory.total if run.memory else 0
    foreseen = estimate > MARGIN * free
    yield Row("out of memory", "foreseen", f"{byte_size(estimate)} of {byte_size(free)} free", foreseen)
    explained = "Out of memory" in run.problem
    yield Row("out of memory", "explained", run.problem or "the training finished", explained)


def idle(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """A training whose steps are long on the GPU and take no processor time is not ended as idle."""
    os.environ["ARCHLAB_IDLE_MINUTES"] = str(scale.idle_minutes)
    settings_module.get_settings.cache_clear()
    config = speed_config("resnet50", scale).with_values({"training.epochs": scale.idle_epochs})
    run = measure(config)
    yield Row(
        "idle guard",
        f"resnet50 with {60 * scale.idle_minutes:.0f} s allowed",
        run.problem or f"finished after {run.seconds:.0f} s",
        not run.problem,
    )


@dataclass(frozen=True)
class Part:
    """A part of the benchmark, and the seconds that it may take on a GPU."""

    measure: Callable[[Scale, bool], Iterator[Row]]
    limit_s: float


PARTS = {
    "machine": Part(machine, 40),
    "data": Part(data, 90),
    "fast": Part(fast, 100),
    "memory": Part(memory_limit, 75),
    "sharing": Part(sharing, 60),
    "idle": Part(idle, 75),
    "speed": Part(speed, 300),
}


# What parts are made of.


@dataclass(frozen=True)
class Measured:
    """One training. problem: empty where it ended well. rate: images/s of its best epoch after the first."""

    problem: str = ""
    seconds: float = 0.0
    first_step: float = 0.0
    rate: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None
    run_id: str = ""

    @property
    def peak(self) -> int:
        """Bytes that it held on the GPU at most; 0 without one."""
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
    """Train through the queue and wait for the end."""
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
    """The shortest Keras script that trains the same: float32 images in memory, nothing else."""
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
    """Look at the GPUs twice a second; the function gives the highest use in percent that was seen, or 0."""
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


# The parent: one process a part, a table, a file.


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, with small models and few images")
    parser.add_argument(
        "--data", type=Path, help="CIFAR-10 as JPEGs in train/ and test/: .tar.xz, .tar or .zip"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, help="for all parts; default: 8, in a rehearsal 60")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    scale = REHEARSAL if options.rehearse else Scale()
    if options.part:
        for row in PARTS[options.part].measure(scale, options.rehearse):
            print("ROW", json.dumps(asdict(row)), flush=True)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    minutes = options.minutes or (60 if options.rehearse else 8)
    with tempfile.TemporaryDirectory(prefix="archlab-gpu-") as home:
        os.environ["ARCHLAB_HOME"] = home
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        settings_module.get_settings.cache_clear()
        if options.data:
            os.environ["BENCHMARK_DATA"] = str(options.data.resolve())
        failed = run_parts(options.only, options.rehearse, options.out, time.monotonic() + 60 * minutes)
    sys.exit(1 if failed else 0)


def run_parts(names: list[str], rehearse: bool, out: Path, end: float) -> bool:
    """Run parts one after the other and print their rows; returns whether anything went wrong."""
    rows: list[Row] = []
    began = time.monotonic()
    for name in [name for name in PARTS if name in names or name == "data"]:
        left = end - time.monotonic() - GRACE_S
        limit = left if rehearse else min(left, PARTS[name].limit_s)
        if limit < 5:
            rows.append(Row(name, "not run", "no time was left", False))
        else:
            for row in run_part(name, rehearse, limit):
                rows.append(row)
                print(line(row), flush=True)
        write(out, rows, rehearse, time.monotonic() - began)
    print(f"\n{table(rows)}\n\n{out}: written; {time.monotonic() - began:.0f} s")
    return any(row.ok is False for row in rows)


def run_part(name: str, rehearse: bool, limit_s: float) -> Iterator[Row]:
    """Run a part in a process of its own; what it had found before it failed or ran out of time is kept."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, *(["--rehearse"] if rehearse else [])]
    process = subprocess.Popen(
        command,
        cwd=PROGRAM,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    timer = Thread(target=_end_after, args=(process, limit_s), daemon=True)
    timer.start()
    errors: list[str] = []
    reader = Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
    reader.start()
    assert process.stdout is not None
    try:
        for text in process.stdout:
            if text.startswith("ROW "):
                yield Row(**json.loads(text.removeprefix("ROW ")))
        code = process.wait()
        reader.join(5)
    finally:  # also where the benchmark itself is ended
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        stop_worker()
    if code == -signal.SIGKILL:
        yield Row(name, "ended", f"after its limit of {limit_s:.0f} s", False)
    elif code:
        yield Row(name, "failed", (errors or [f"exit code {code}"])[-1].strip()[:300], False)


def _end_after(process: subprocess.Popen, limit_s: float) -> None:
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def stop_worker() -> None:
    """Cancel what a part left behind and end its worker: the next part may have other settings."""
    settings = settings_module.get_settings()
    if not settings.database.exists():
        return
    store = get_store()
    for run in store.active():
        cancel(store, run.run_id)
    until = time.monotonic() + GRACE_S
    while store.active() and time.monotonic() < until:
        time.sleep(0.2)
    daemons = (worker_of(settings), inference_of(settings))
    for daemon in daemons:
        daemon.stop()
    while any(daemon.is_running() for daemon in daemons) and time.monotonic() < until:
        time.sleep(0.1)


def write(out: Path, rows: list[Row], rehearse: bool, seconds: float) -> None:
    """Write all rows so far, whole or not at all."""
    found = {
        "rehearsal": rehearse,
        "seconds": round(seconds, 1),
        "machine": devices.summary(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "images": "given" if "BENCHMARK_DATA" in os.environ else "random",
        "rows": [asdict(row) for row in rows],
    }
    draft = out.with_name(f"{out.name}.draft")
    draft.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    draft.replace(out)


def table(rows: list[Row]) -> str:
    return "\n".join(["| part | what | value | verdict |", "|---|---|---|---|", *map(line, rows)])


def line(row: Row) -> str:
    verdict = {True: "ok", False: "NOT OK", None: ""}[row.ok]
    return f"| {row.part} | {row.what} | {' '.join(row.value.split())} | {verdict} |"


if __name__ == "__main__":
    main()
