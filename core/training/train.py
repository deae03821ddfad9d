"""One run from its config to its evaluation, in the order in which things happen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from core.config import ExperimentConfig
from core.datasets import ImageDataset, split_report
from core.experiment import lineage, weights_origin
from core.experiment.views import averaged
from core.images.target import Target
from core.onnx_form.session import Facts
from core.system.settings import Settings
from core.system.units import byte_size
from core.tracking import schema
from core.tracking.patience import patiently
from core.tracking.progress import report
from core.tracking.store import RunStore
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.checkpoint import Checkpoint
from core.training.device import across_devices, peak_bytes, set_up_device
from core.training.epoch_logger import EpochLogger
from core.training.experiment import Cost, Data, Experiment, load_data, prepare_experiment
from core.training.fitting import fit
from core.training.logged import (
    log_cost,
    log_data,
    log_environment,
    log_evaluation,
    log_validation,
    loss_tags,
    require_same_data,
)
from core.training.models import in_float32
from core.training.onnx_file import onnx_file, onnx_tags
from core.training.portable import portable
from core.training.progress_reporter import ProgressReporter
from core.training.range_test import RangeTest

SPARE = 64 << 20  # bytes that a training takes besides its weights: predictions, metrics, its log


def train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str) -> None:
    """Train a run's model, keep the best weights, evaluate them once on the test set, log everything.

    A run that was interrupted continues from its checkpoint.
    """
    with MetricWriter(store, run_id, waits=True) as writer:
        report(store.settings, run_id, {"phase": "loading the images"})
        set_up_device(config.training)
        keras.utils.set_random_seed(config.seed)
        data = load_data(config)
        print_split(data, config)
        require_same_data(store, run_id, config.data, data)
        report(store.settings, run_id, {"phase": "building the model"})
        with across_devices(config.training.devices):
            run = Run(store, run_id, writer)
            checkpoint = run.checkpoint()
            experiment = run.prepare(config, data, initializes=not checkpoint.exists)
            progress = run.progress(experiment)
            kept = run.fit(experiment, checkpoint, progress)
            if kept is None:
                progress.phase(schema.SAVED)
                return  # weights that ran away are no result
            progress.phase("evaluating")
            saved = portable(in_float32(experiment.deployable))
            run.evaluate(experiment, saved)
            progress.phase("measuring the latency")
            writer.metrics({"latency_ms": evaluation.latency_ms(saved)}, step=0)
            progress.phase("saving")
            run.save(saved, data.dataset, config.augmentation.test_time)
            progress.phase(schema.SAVED)


class Run:
    """The steps of one run, and what each of them logs."""

    def __init__(self, store: RunStore, run_id: str, writer: MetricWriter):
        self.store = store
        self.run_id = run_id
        self.writer = writer

    def checkpoint(self) -> Checkpoint:
        """Return the run's checkpoint, which may be there, or that of the run that it extends."""
        path = self.store.settings.checkpoint(self.run_id)
        return Checkpoint(path, patiently(lambda: extended(self.store, self.run_id)))

    def prepare(self, config: ExperimentConfig, data: Data, initializes: bool) -> Experiment:
        """Build everything that is trained, and log what is known before the first step.

        Raises:
            OSError: the disk has no room for what the training writes.
        """
        settings = self.store.settings

        def built(config: ExperimentConfig, cost: Cost, network: keras.Model) -> None:
            where = self.store, self.run_id
            self.writer.call(partial(log_data, *where, config.data, data), schema.DATA)
            seen = partial(lineage.record, *where, config, data.dataset, data.split)
            self.writer.call(seen, schema.SEEN)
            self.writer.call(partial(log_environment, *where), schema.ENVIRONMENT)
            log_cost(self.writer, cost)
            print(
                f"model {network.name}: {cost.parameters:,} parameters, {cost.macs:,} multiply-accumulates; "
                f"training takes about {byte_size(cost.memory.total)}"
            )
            cost.memory.write(settings.memory_file(self.run_id))
            require_disk(settings, network, config)

        def computes_features() -> None:
            self.writer.begin()  # the first step may be long in coming
            report(settings, self.run_id, {"phase": "computing the outputs of the backbone"})

        return prepare_experiment(config, data, self.store, initializes, built, computes_features)

    def progress(self, experiment: Experiment) -> ProgressReporter:
        """Return what reports the progress of the training; it compiles now."""
        progress = ProgressReporter(self.writer, experiment.data.length, len(experiment.task.training.rows))
        progress.phase("compiling")
        return progress

    def fit(self, experiment: Experiment, checkpoint: Checkpoint, progress: ProgressReporter) -> int | None:
        """Train; return the epoch whose weights the model has then, or None after a range test."""
        store, writer, task = self.store, self.writer, experiment.task
        logged = patiently(lambda: store.read.last_step(self.run_id))
        logger = EpochLogger(writer, len(task.training.rows), task.run.epochs, logged)
        writer.tags(loss_tags(logger.logged, patiently(lambda: store.state(self.run_id)).tags))
        with system_metrics(store, self.run_id, writer):
            reporters: list[keras.callbacks.Callback] = [progress]
            tests_rates = experiment.config.schedule.component.tests_rates
            if tests_rates:
                steps = patiently(lambda: store.read.last_step(self.run_id, "range_loss"))
                reporters.append(RangeTest(writer, task.training, steps))
            kept = fit(task, logger, reporters, checkpoint)
        if tests_rates:
            return None
        writer.begin()  # where nothing was left to train
        print(f"kept the weights of epoch {kept}")
        writer.tags({schema.KEPT: str(kept)})
        writer.metrics({"train_seconds": logger.seconds}, step=0)
        if (peak := peak_bytes()) is not None:
            writer.metrics({"gpu_peak_bytes": peak}, step=0)
        return kept

    def evaluate(self, experiment: Experiment, saved: keras.Model) -> None:
        """Log the test metrics of the model that is saved, and its probabilities for every test image and
        for the validation images."""
        dataset, split, config = experiment.data.dataset, experiment.data.split, experiment.config
        model = saved
        if config.model.bottleneck and saved is experiment.deployable:
            # the same numbers, without computing the backbone's outputs again
            model, dataset = experiment.task.model, replace(dataset, images=experiment.inputs)
        predict = partial(
            evaluation.predict_probabilities,
            averaged(model, config.augmentation.test_time),
            dataset,
            batch_size=config.training.images_per_step,
            least=config.training.devices,
        )
        if len(split.test):
            metrics = log_evaluation(self.writer, dataset, split.test, predict(split.test))
            print(" · ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
        else:
            print("the dataset has no test set: no test metrics")
        if len(rows := evaluation.validation_rows(split.validation, dataset.info.num_classes)):
            log_validation(self.writer, dataset, rows, predict(rows))

    def save(self, saved: keras.Model, dataset: ImageDataset, views: str) -> None:
        """Log the model with the classes it knows, how images are made to fit it, and its ONNX file.

        views: what its predictions are averaged over, as in `core.experiment.views`.
        """
        info = dataset.info
        target = Target(*info.shape, info.options.get("policy", "stretch"), info.value_range)
        facts = Facts(tuple(info.classes), target.sentences, views)
        with onnx_file(saved, facts, dataset.images) as (made, path):
            model_bytes = self.writer.attempt(
                "the model",
                lambda: self.store.models.log(self.run_id, saved, info.classes, target.sentences, path),
            )
        if model_bytes is not None:
            self.writer.tags(onnx_tags(made))
            self.writer.metrics({"model_bytes": model_bytes}, step=0)
            self.writer.tags({schema.WEIGHTS: weights_origin.digest_of(map(np.asarray, saved.get_weights()))})


def print_split(data: Data, config: ExperimentConfig) -> None:
    """Print how many images each set has, and what the split did to copies of images."""
    sizes = ", ".join(f"{len(rows)} {subset}" for subset, rows in vars(data.split).items())
    print(f"data {config.data.name}: {sizes}")
    for sentence in split_report.sentences(data.dataset, config.data):
        print(sentence)


def require_disk(settings: Settings, network: keras.Model, config: ExperimentConfig) -> None:
    """Raise OSError when there is no room for what a training writes, rather than lose it half-way."""
    checkpoint = 2 + config.optimizer.state_per_weight  # with the best weights so far
    copies = 2 * checkpoint + 2  # beside the one before it; the model and its ONNX file
    needed, free = 4 * network.count_params() * copies + SPARE, shutil.disk_usage(settings.home).free
    if free < needed:
        raise OSError(
            f"This training writes up to {byte_size(needed)} to {settings.home}; {byte_size(free)} are free."
        )


def extended(store: RunStore, run_id: str) -> Path | None:
    """The checkpoint of the run that this one extends. Raises FileNotFoundError when it is gone."""
    other = store.state(run_id).tags.get(schema.EXTENDS)
    if other is None:
        return None
    path = store.settings.checkpoint(other)
    if not path.exists():
        raise FileNotFoundError(f"The checkpoint of the run {other}, which this one extends, is gone.")
    return path
