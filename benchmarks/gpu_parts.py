"""The parts of the GPU benchmark, in order of importance: there may be no time left for the last ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu_runs import (
    bare_fit,
    finished,
    measure,
    predicted,
    random_images,
    speed_config,
    watched_gpu,
)
from benchmarks.gpu_scale import CIFAR, LARGE, MANY, Row, Scale
from core import recipes
from core.launching.launch import launch
from core.system import devices
from core.system import settings as settings_module
from core.system.memory import MARGIN
from core.system.settings import PROGRAM
from core.system.units import byte_size
from core.tracking.store import get_store


def machine(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Check that a GPU is present, and that the backend and the program see it."""
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
    from core.importing.importer import import_images

    archive = os.environ.get("BENCHMARK_DATA")
    began = time.perf_counter()
    if archive:
        with tempfile.TemporaryDirectory() as folder:
            shutil.unpack_archive(archive, folder)  # a machine with a GPU may lack xz
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
    """Run the recipe cifar10-fast, from the launch to the end, with evaluation and saved model."""
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


def speed(scale: Scale, rehearse: bool) -> Iterator[Row]:
    """Compare whole runs with bare `model.fit`: precision, images on the device or streamed, XLA."""
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
    """Yield what is measured of each model: a name, and the settings that differ. Bare runs come first."""
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
    """Train two runs on one GPU at once: both finish, and neither takes all of its memory."""
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
    """Train with too large a batch: the estimate predicts it, and the failure names one that fits."""
    os.environ["ARCHLAB_MEMORY" if rehearse else "ARCHLAB_GPU_MEMORY"] = str(scale.memory_mib)
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
    """Train with long steps on the GPU that take no processor time: the run is not ended as idle."""
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
    """A part of the benchmark, and its time limit in seconds on a GPU."""

    measure: Callable[[Scale, bool], Iterator[Row]]
    limit_s: float


PARTS = {
    "machine": Part(machine, 40),
    "data": Part(data, 90),
    "fast": Part(fast, 120),
    "memory": Part(memory_limit, 120),
    "sharing": Part(sharing, 90),
    "idle": Part(idle, 150),
    "speed": Part(speed, 300),
}
