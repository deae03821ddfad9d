"""What do tracking, progress and checkpoints take of an epoch?

    python -m benchmarks.overhead [--rounds 5] [--nets lenet5 resnet_cifar conv6]

In one process, alternating, the same model is trained on the same batches with the same steps per execution:
`bare` by `model.fit` alone, `whole` as a run trains it, with a real store, system metrics, progress, the best
weights kept and checkpoints. An epoch lasts from its beginning to the beginning of the next, with its
validation and everything at its end; the first, which compiles, is not counted. Where others use the machine,
the difference is lost in noise, so the costs are also added up: the time in callbacks, and the processor time
of the threads that write and that monitor the machine, as if none of it ran beside the training.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil

from benchmarks.throughput import CASES, Case
from core.architectures import build_model
from core.architectures.describe import describe_model
from core.config import ExperimentConfig
from core.schedules import Length, stages
from core.system import settings as settings_module
from core.tracking.store import get_store
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training.best import KeepBest
from core.training.checkpoint import Checkpoint
from core.training.epoch_logger import EpochLogger
from core.training.fitting import Task, compile_stage, fit
from core.training.models import wrap
from core.training.pipeline import Batches, OrderOfEpoch, fed
from core.training.progress_reporter import ProgressReporter

THREADS = ("metric-writer", "SystemMetricsMonitor")
CALLBACKS = (EpochLogger, ProgressReporter, KeepBest, Checkpoint)


class Epochs(keras.callbacks.Callback):
    """The beginning of each epoch, and the times of threads and callbacks until then."""

    waited = 0.0  # seconds in callbacks

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.taken: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.times.append(time.perf_counter())
        self.taken.append(Epochs.waited + thread_seconds())

    def share(self) -> float:
        """Return the share of the added costs, without the first epoch."""
        return (self.taken[-1] - self.taken[1]) / (self.times[-1] - self.times[1])

    def seconds(self) -> float:
        """Return the duration of a typical epoch, without the first and the last."""
        return statistics.median(np.diff(self.times)[1:])


def thread_seconds() -> float:
    """Return the processor time of the threads that write and monitor."""
    wanted = {thread.native_id for thread in threading.enumerate() if thread.name in THREADS}
    found = psutil.Process().threads()
    return sum(one.user_time + one.system_time for one in found if one.id in wanted)


def time_callbacks() -> None:
    """Have each of the program's callbacks measure the time that it delays the training."""

    def timed(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            began = time.perf_counter()
            method(*arguments, **named)
            Epochs.waited += time.perf_counter() - began

        return call

    for kind in CALLBACKS:
        for name in [name for name in vars(kind) if name.startswith("on_")]:
            setattr(kind, name, timed(getattr(kind, name)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nets", nargs="+", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = f"{folder}/home"
        settings_module.get_settings.cache_clear()
        time_callbacks()
        for name in options.nets:
            compare(CASES[name], options.rounds, Path(folder))


def compare(case: Case, rounds: int, folder: Path) -> None:
    """Train both ways, alternating; print every round, and the median of their ratios."""
    task = prepared(case)
    found: dict[str, list[float]] = {"bare": [], "whole": []}
    shares = []
    for number in range(rounds):
        for way in sorted(found, reverse=number % 2 == 1):
            epochs = bare(task) if way == "bare" else whole(task, folder / f"{case.net}-{number}.npz")
            found[way].append(epochs.seconds())
            shares += [epochs.share()] if way == "whole" else []
            print(f"{case.net} round {number + 1} {way:5} {found[way][-1]:.3f} s an epoch", flush=True)
    ratios = [one / other for one, other in zip(found["bare"], found["whole"], strict=True)]
    taken = sorted(1 - ratio for ratio in ratios)
    print(
        f"{case.net}: tracking, progress and checkpoints take {statistics.median(taken):.1%} of an epoch, "
        f"between {taken[0]:.1%} and {taken[-1]:.1%}; "
        f"their parts add up to {statistics.median(shares):.1%}"
    )


def prepared(case: Case) -> Task:
    """Return the training of a case.

    A tenth of its images validates, and each round has at least twelve epochs.
    """
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (case.images, *case.shape), dtype=np.uint8)
    labels = generator.integers(0, 10, case.images)
    config = ExperimentConfig().with_values(
        {
            "model.name": case.net,
            "training.batch_size": case.batch,
            "training.epochs": max(12, case.epochs),
            **{f"model.options.{key}": value for key, value in case.options.items()},
        }
    )
    net = build_model(case.net, case.shape, 10, **case.options)
    model, _ = wrap(net, config)
    cut = case.images // 10
    training = Batches(images, labels, np.arange(cut, case.images), case.batch, seed=0)
    validation = Batches(images, labels, np.arange(cut), case.batch)
    run = Length(len(training), len(training) * config.training.epochs)
    return Task(config, model, net, describe_model(net).macs, training, validation, run)


def bare(task: Task) -> Epochs:
    epochs = Epochs()
    compile_stage(task, stages(task.config, task.run)[0], 0)
    task.model.fit(
        fed(task.training),
        validation_data=fed(task.validation),
        epochs=task.config.training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[OrderOfEpoch(task.training), epochs],
    )
    return epochs


def whole(task: Task, checkpoint: Path) -> Epochs:
    store, epochs = get_store(), Epochs()
    run_id = store.create(task.config)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        writer = stack.enter_context(MetricWriter(store, run_id))
        stack.enter_context(system_metrics(store, run_id, writer))
        images = task.training.images_an_epoch
        logger = EpochLogger(writer, images, task.config.training.epochs)
        fit(task, logger, [ProgressReporter(writer, task.run, images), epochs], Checkpoint(checkpoint))
    return epochs


if __name__ == "__main__":
    main()
