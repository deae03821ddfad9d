"""What do tracking, progress and checkpoints take of an epoch?

    python -m benchmarks.overhead [--rounds 5] [--nets lenet5 resnet_cifar conv6]

In one process, in turn, the same net is trained on the same batches with the same steps an execution: `bare`
by `model.fit` alone, `whole` as a run trains it, with a real store, system metrics, progress, the best
weights kept and checkpoints. An epoch is counted from its beginning to the beginning of the next, its
validation and all that happens at its end included; the first, which compiles, is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

import keras
import numpy as np

from benchmarks.throughput import CASES, Case
from core import settings as settings_module
from core.architectures import build_model
from core.architectures.describe import describe_model
from core.config import ExperimentConfig
from core.schedules import Length, stages
from core.tracking.store import get_store
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training.callbacks import EpochLogger, ProgressReporter
from core.training.checkpoint import Checkpoint
from core.training.fitting import Task, compile_stage, fit
from core.training.pipeline import Batches, OrderOfEpoch, fed
from core.training.train import wrap


class Epochs(keras.callbacks.Callback):
    """When each epoch began, and when the last one was over."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.times.append(time.perf_counter())

    def seconds(self) -> float:
        """A typical epoch, without the first and the last."""
        return statistics.median(np.diff(self.times)[1:])


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
        for name in options.nets:
            compare(CASES[name], options.rounds, Path(folder))


def compare(case: Case, rounds: int, folder: Path) -> None:
    """Train both ways in turn; print every round, and the ratio of the medians."""
    task = prepared(case)
    found: dict[str, list[float]] = {"bare": [], "whole": []}
    for number in range(rounds):
        for way in sorted(found, reverse=number % 2 == 1):
            measured = bare(task) if way == "bare" else whole(task, folder / f"{case.net}-{number}.npz")
            found[way].append(measured)
            print(f"{case.net} round {number + 1} {way:5} {measured:.3f} s an epoch", flush=True)
    one, other = (statistics.median(found[way]) for way in ("bare", "whole"))
    print(f"{case.net}: tracking, progress and checkpoints take {1 - one / other:.1%} of an epoch")


def prepared(case: Case) -> Task:
    """The training of a case; a tenth of its images validates, and each round has six epochs at least."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (case.images, *case.shape), dtype=np.uint8)
    labels = generator.integers(0, 10, case.images)
    config = ExperimentConfig().with_values(
        {
            "model.name": case.net,
            "training.batch_size": case.batch,
            "training.epochs": max(6, case.epochs),
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


def bare(task: Task) -> float:
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
    return epochs.seconds()


def whole(task: Task, checkpoint: Path) -> float:
    store, epochs = get_store(), Epochs()
    run_id = store.create(task.config)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        writer = stack.enter_context(MetricWriter(store, run_id))
        stack.enter_context(system_metrics(store, run_id, writer))
        images = task.training.images_an_epoch
        logger = EpochLogger(writer, images, task.config.training.epochs)
        fit(task, logger, [ProgressReporter(writer, task.run, images), epochs], Checkpoint(checkpoint))
    return epochs.seconds()


if __name__ == "__main__":
    main()
