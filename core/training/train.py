"""One run from its config to its evaluation, in the order in which things happen."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from core import datasets
from core.architectures import inference_model
from core.architectures.describe import describe_model
from core.architectures.layers import AuxiliaryModel
from core.architectures.transfer import assemble, head_of, unfreeze
from core.config import ExperimentConfig
from core.datasets import ImageDataset, choices
from core.datasets.records import Shape
from core.datasets.splits import Split
from core.tracking import schema
from core.tracking.store import RunStore
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.augmentation import MixingModel, augmentation_layers, mixing_layer
from core.training.bottleneck import bottleneck_features
from core.training.callbacks import EpochLogger, KeepBest, ProgressReporter, StopOnNan
from core.training.device import environment, on_gpu, set_up_device
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, steps_per_execution
from core.training.preparation import preparation
from core.training.preprocessing import needs_mean, training_mean
from core.training.pretrained import start_from
from core.training.views import averaged


def train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str) -> None:
    """Train a run's net, keep the best weights, evaluate them once on the test part, log everything."""
    set_up_device()
    keras.utils.set_random_seed(config.seed)

    dataset = datasets.load(config.data.name, grey=config.data.grey)
    parts = choices.choose(dataset, config.data)
    net = assemble(config.model, choices.net_shape(config, dataset.info.shape), dataset.info.num_classes)
    config = start_from(net, config, store)
    log_data(store, run_id, config, dataset, parts)
    store.log_json(run_id, environment(), schema.ENVIRONMENT)

    mean = training_mean(dataset.images, parts.train) if needs_mean(config.data.preprocessing) else None
    model, deployable = wrap(net, config, dataset.info.shape, mean)
    macs = log_counts(store, run_id, inference_model(net))

    answering, inputs = deployable, dataset.images
    if config.model.bottleneck:
        inputs = bottleneck_features(net, config, dataset, mean, store.settings)
        model = answering = head_of(net)
        macs = describe_model(model).macs
    batch_size = config.training.batch_size
    training = Batches(inputs, dataset.labels, parts.train, batch_size, config.seed)
    validation = Batches(inputs, dataset.labels, parts.validation, batch_size)

    with MetricWriter(store, run_id) as writer:
        progress = ProgressReporter(writer, len(training), config.training.epochs, len(training.rows))
        progress.phase("starting")
        weights = choices.weights(dataset, parts.train, config.data)
        fit(model, net, macs, config, training, validation, writer, progress, store, run_id, weights)
        progress.phase("evaluating")
        seen, views = replace(dataset, images=inputs), config.augmentation.test_time
        evaluate(store, run_id, answering, seen, parts.test, batch_size, writer, views)
        writer.metrics({"latency_ms": evaluation.latency_ms(deployable)}, step=0)
        progress.phase("saving")
        writer.metrics({"model_bytes": store.log_model(run_id, deployable)}, step=0)
        progress.phase("done")


def wrap(
    net: keras.Model, config: ExperimentConfig, shape: Shape | None = None, mean: np.ndarray | None = None
) -> tuple[keras.Model, keras.Model]:
    """The net that trains (with augmentation) and the one that is kept; they share their weights.

    Both take images of 0-255 as the dataset has them; they crop, preprocess and resize them, so that
    whoever loads the saved model feeds it pixels and cannot get that wrong.

    shape: `(H, W, C)` of the images; default: the net's. mean: the training part's mean image, where the
    preprocessing subtracts it.
    """
    images = keras.Input(shape or net.input_shape[1:], name="images")
    cut = choices.net_shape(config, images.shape[1:])
    prepare = preparation(config, cut, net.input_shape[1:], mean)
    answer = inference_model(net)
    deployable = keras.Model(images, answer(prepare(cropped(images, cut))), name=net.name)
    augmented = images
    for layer in augmentation_layers(config.augmentation, config.seed):
        augmented = layer(augmented)
    mix = mixing_layer(config.augmentation, config.seed)
    if mix is None and answer is net:
        return keras.Model(images, net(prepare(augmented)), name="training"), deployable
    augmented, *shares = (augmented,) if mix is None else mix(augmented)
    if answer is net:
        heads = [net(prepare(augmented))]
    else:
        heads = keras.Model(net.inputs, net.outputs)(prepare(augmented))  # the auxiliary ones train too
    kind = AuxiliaryModel if mix is None else MixingModel
    return kind(images, [*heads, *shares], name="training"), deployable


def cropped(images: keras.KerasTensor, cut: Shape) -> keras.KerasTensor:
    """The middle of the images `(None, H, W, C)` in the size `(H, W, C)` of the crops that train."""
    spare = [images.shape[axis + 1] - cut[axis] for axis in (0, 1)]
    if not any(spare):
        return images
    return layers.Cropping2D([(gap // 2, gap - gap // 2) for gap in spare], name="centre")(images)


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
    class_weight: dict[int, float] | None = None,
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
                class_weight=class_weight,
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
        **config.data.model_dump(exclude={"name"}),
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
    views: str = "none",
) -> None:
    """Test metrics, and the probabilities themselves, averaged over the views."""
    if not len(rows):
        print("the dataset has no test part: nothing is evaluated")
        return
    probabilities = evaluation.predict_probabilities(averaged(model, views), dataset, rows, batch_size)
    metrics = evaluation.test_metrics(probabilities, dataset.labels[rows])
    writer.metrics(metrics, step=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(schema.PREDICTIONS).name
        evaluation.predictions_table(dataset, rows, probabilities).to_parquet(path, index=False)
        store.log_file(run_id, path, str(Path(schema.PREDICTIONS).parent))
    print(" · ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
