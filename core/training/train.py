"""One run from its config to its evaluation, in the order in which things happen."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from core import datasets
from core.architectures import Shape, inference_model
from core.architectures.describe import describe_model
from core.architectures.layers import AuxiliaryModel
from core.architectures.transfer import assemble, head_of, unfreeze
from core.config import ExperimentConfig
from core.datasets import ImageDataset
from core.datasets.splits import Split, split
from core.tracking import schema
from core.tracking.store import RunStore
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.augmentation import augmentation_layers
from core.training.bottleneck import bottleneck_features
from core.training.callbacks import EpochLogger, KeepBest, ProgressReporter, StopOnNan
from core.training.device import environment, on_gpu, set_up_device
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, steps_per_execution
from core.training.pixels import SCALINGS, Scaling, prepared
from core.training.pretrained import start_from


def train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str) -> None:
    """Train a run's net, keep the best weights, evaluate them once on the test part, log everything."""
    set_up_device()
    keras.utils.set_random_seed(config.seed)

    dataset = datasets.load(config.data.name)
    parts = split(dataset, validation_fraction=config.data.validation_fraction, seed=config.data.split_seed)
    log_data(store, run_id, config, dataset, parts)
    store.log_json(run_id, environment(), schema.ENVIRONMENT)

    net = assemble(config.model, dataset.info.shape, dataset.info.num_classes)
    scaling = start_from(net, config.model, store)
    model, deployable = wrap(net, config, dataset.info.shape, scaling)
    macs = log_counts(store, run_id, inference_model(net))

    answering, inputs = deployable, dataset.images
    if config.model.bottleneck:
        inputs = bottleneck_features(net, config.model, scaling, dataset, store.settings)
        model = answering = head_of(net)
        macs = describe_model(model).macs
    batch_size = config.training.batch_size
    training = Batches(inputs, dataset.labels, parts.train, batch_size, config.seed)
    validation = Batches(inputs, dataset.labels, parts.validation, batch_size)

    with MetricWriter(store, run_id) as writer:
        progress = ProgressReporter(writer, len(training), config.training.epochs, len(parts.train))
        progress.phase("starting")
        fit(model, net, macs, config, training, validation, writer, progress, store, run_id)
        progress.phase("evaluating")
        evaluate(store, run_id, answering, replace(dataset, images=inputs), parts.test, batch_size, writer)
        writer.metrics({"latency_ms": evaluation.latency_ms(deployable)}, step=0)
        progress.phase("saving")
        writer.metrics({"model_bytes": store.log_model(run_id, deployable)}, step=0)
        progress.phase("done")


def wrap(
    net: keras.Model,
    config: ExperimentConfig,
    image_shape: Shape | None = None,
    scaling: Scaling = SCALINGS["unit"],
) -> tuple[keras.Model, keras.Model]:
    """The net that trains (with augmentation) and the one that is kept; they share their weights.

    Both take images `(N, H, W, C)` of 0-255, resize and scale them, so that whoever loads the saved model
    feeds it pixels and cannot get the scaling wrong. image_shape: `(H, W, C)`; None: as the net's input.
    """
    net_shape = net.input_shape[1:]
    images = keras.Input(image_shape or net_shape, name="images")
    augmented = images
    for layer in augmentation_layers(config.augmentation, config.seed):
        augmented = layer(augmented)
    answer = inference_model(net)
    deployable = keras.Model(images, answer(prepared(images, net_shape, scaling)), name=net.name)
    inputs = prepared(augmented, net_shape, scaling)
    if answer is net:
        return keras.Model(images, net(inputs), name="training"), deployable
    heads = keras.Model(net.inputs, net.outputs)  # all of them, so that the auxiliary ones train too
    return AuxiliaryModel(images, heads(inputs), name="training"), deployable


def compile_model(
    model: keras.Model, config: ExperimentConfig, steps_per_epoch: int, macs_per_step: int
) -> None:
    """Set optimizer, loss and metric; one sigmoid unit takes the binary loss."""
    binary = model.output_shape[-1] == 1
    model.compile(
        optimizer=make_optimizer(config, steps_per_epoch),
        loss="binary_crossentropy" if binary else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution(steps_per_epoch, macs_per_step, on_gpu()),
        jit_compile=on_gpu(),  # XLA halved the speed on a CPU
    )


def fit(
    model: keras.Model,
    net: keras.Model,
    macs: int,
    config: ExperimentConfig,
    training: Batches,
    validation: Batches,
    writer: MetricWriter,
    progress: ProgressReporter,
    store: RunStore,
    run_id: str,
) -> None:
    """Train; afterwards the model has the weights that are kept, and the store says which.

    macs: multiply-accumulates of the model for one image.
    A backbone that is unfrozen later makes two stages; the second starts from the best epoch so far, and at
    once where early stopping ended the first.
    """
    epochs, images = config.training.epochs, len(training.rows)
    validates = len(validation.rows) > 0
    best = KeepBest() if config.training.keep == "best" and validates else None
    logger = EpochLogger(writer, images, epochs)
    done = 0
    started = time.perf_counter()
    with system_metrics(store, run_id):
        for end in filter(None, (config.model.unfreeze_epoch, epochs)):
            compile_model(model, stage_of(config, done, end), len(training), macs * training.batch_size)
            history = model.fit(
                training,
                validation_data=validation if validates else None,
                initial_epoch=done,
                epochs=end,
                verbose=0,
                callbacks=[
                    logger,
                    progress,
                    StopOnNan(),
                    *([best] if best else []),
                    *early_stopping(config),
                ],
            )
            done = history.epoch[-1] + 1
            if end < epochs:
                unfreeze(net)
                print(f"unfrozen after epoch {done}")
    kept = best.epoch if best else done
    writer.metrics({"train_seconds": time.perf_counter() - started}, step=0)
    writer.tags({schema.KEPT: str(kept)})
    print(f"kept the weights of epoch {kept}")


def stage_of(config: ExperimentConfig, done: int, end: int) -> ExperimentConfig:
    """The config as the epochs from `done` to `end` see it: their number, and the rate once unfrozen."""
    changes: dict[str, float] = {"training.epochs": end - done, "model.unfreeze_epoch": 0}
    if done:
        changes["optimizer.learning_rate"] = config.model.unfreeze_learning_rate
    return config.with_values(changes)


def early_stopping(config: ExperimentConfig) -> list[keras.callbacks.Callback]:
    patience = config.training.early_stopping
    return [keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience)] if patience else []


def log_data(
    store: RunStore, run_id: str, config: ExperimentConfig, dataset: ImageDataset, parts: Split
) -> None:
    """Write down which images the run saw, so that another can be compared with it."""
    info = dataset.info
    counts = {
        part: np.bincount(dataset.labels[rows], minlength=info.num_classes).tolist()
        for part, rows in vars(parts).items()
    }
    facts = {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "shape": list(info.shape),
        "policy": info.options.get(
            "policy", "stretch"
        ),  # how an image was made to fit, at import and in the demo
        "classes": list(info.classes),
        "counts": counts,
        "split_seed": config.data.split_seed,
        "validation_fraction": config.data.validation_fraction,
    }
    store.log_json(run_id, facts, schema.DATA)
    sizes = {part: int(sum(numbers)) for part, numbers in counts.items()}
    store.log_dataset(run_id, info.name, info.fingerprint, info.source, sizes)
    print(f"data {info.name}: " + ", ".join(f"{size} {part}" for part, size in sizes.items()))


def log_counts(store: RunStore, run_id: str, net: keras.Model) -> int:
    """What the net that is kept costs; returns its multiply-accumulates for one image."""
    facts = describe_model(net)
    store.log_metrics(
        run_id,
        {
            "parameters": facts.total_parameters,
            "trainable_parameters": facts.trainable_parameters,
            "macs": facts.macs,
        },
    )
    print(f"net {net.name}: {facts.total_parameters:,} parameters, {facts.macs:,} multiply-accumulates")
    return facts.macs


def evaluate(
    store: RunStore,
    run_id: str,
    model: keras.Model,
    dataset: ImageDataset,
    rows: np.ndarray,
    batch_size: int,
    writer: MetricWriter,
) -> None:
    """Test metrics, and the probabilities themselves."""
    if not len(rows):
        print("the dataset has no test part: nothing is evaluated")
        return
    probabilities = evaluation.predict_probabilities(model, dataset, rows, batch_size)
    metrics = evaluation.test_metrics(probabilities, dataset.labels[rows])
    writer.metrics(metrics, step=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(schema.PREDICTIONS).name
        evaluation.predictions_table(dataset, rows, probabilities).to_parquet(path, index=False)
        store.log_file(run_id, path, str(Path(schema.PREDICTIONS).parent))
    print(" · ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
