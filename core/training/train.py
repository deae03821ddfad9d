"""One run from its config to its evaluation, in the order in which things happen."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

from core import datasets
from core.architectures import build_model, inference_model
from core.architectures.describe import describe_model
from core.architectures.layers import AuxiliaryModel
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
from core.training.callbacks import EpochLogger, KeepBest, ProgressReporter, StopOnNan
from core.training.device import environment, on_gpu, set_up_device
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, steps_per_execution
from core.training.preprocessing import needs_mean, preprocessing, training_mean
from core.training.views import averaged


def train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str) -> None:
    """Train a run's net, keep the best weights, evaluate them once on the test part, log everything."""
    set_up_device()
    keras.utils.set_random_seed(config.seed)

    dataset = datasets.load(config.data.name, grey=config.data.grey)
    parts = choices.choose(dataset, config.data)
    log_data(store, run_id, config, dataset, parts)
    store.log_json(run_id, environment(), schema.ENVIRONMENT)

    batch_size = config.training.batch_size
    training = Batches(dataset.images, dataset.labels, parts.train, batch_size, config.seed)
    validation = Batches(dataset.images, dataset.labels, parts.validation, batch_size)

    shape = choices.net_shape(config, dataset.info.shape)
    net = build_model(config.model.name, shape, dataset.info.num_classes, **config.model.options)
    mean = training_mean(dataset.images, parts.train) if needs_mean(config.data.preprocessing) else None
    model, deployable = wrap(net, config, dataset.info.shape, mean)
    macs = log_counts(store, run_id, inference_model(net))
    compile_model(model, config, len(training), macs * batch_size)

    with MetricWriter(store, run_id) as writer:
        progress = ProgressReporter(writer, len(training), config.training.epochs, len(training.rows))
        progress.phase("starting")
        weights = choices.weights(dataset, parts.train, config.data)
        fit(model, config, training, validation, writer, progress, store, run_id, weights)
        progress.phase("evaluating")
        views = config.augmentation.test_time
        evaluate(store, run_id, deployable, dataset, parts.test, batch_size, writer, views)
        progress.phase("saving")
        writer.metrics({"model_bytes": store.log_model(run_id, deployable)}, step=0)
        progress.phase("done")


def wrap(
    net: keras.Model, config: ExperimentConfig, shape: Shape | None = None, mean: np.ndarray | None = None
) -> tuple[keras.Model, keras.Model]:
    """The net that trains (with augmentation) and the one that is kept; they share their weights.

    Both take images of 0-255 as the dataset has them, and crop and preprocess them themselves, so that
    whoever loads the saved model feeds it pixels and cannot get that wrong.

    shape: `(H, W, C)` of the images; default: the net's. mean: the training part's mean image, where the
    preprocessing subtracts it.
    """
    images = keras.Input(shape or net.input_shape[1:], name="images")
    prepare = preprocessing(config.data.preprocessing, net.input_shape[1:], mean)
    answer = inference_model(net)
    deployable = keras.Model(images, answer(prepare(cropped(images, net.input_shape))), name=net.name)
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


def cropped(images: keras.KerasTensor, net_shape: Shape) -> keras.KerasTensor:
    """The middle of the images in the size that the net takes: `(None, H, W, C)`."""
    spare = [images.shape[axis] - net_shape[axis] for axis in (1, 2)]
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
    config: ExperimentConfig,
    training: Batches,
    validation: Batches,
    writer: MetricWriter,
    progress: ProgressReporter,
    store: RunStore,
    run_id: str,
    class_weight: dict[int, float] | None = None,
) -> None:
    """Train; afterwards the model has the weights that are kept, and the store says which."""
    epochs, images = config.training.epochs, len(training.rows)
    validates = len(validation.rows) > 0
    best = KeepBest() if config.training.keep == "best" and validates else None
    started = time.perf_counter()
    with system_metrics(store, run_id):
        history = model.fit(
            training,
            validation_data=validation if validates else None,
            epochs=epochs,
            verbose=0,
            class_weight=class_weight,
            callbacks=[
                EpochLogger(writer, images, epochs),
                progress,
                StopOnNan(),
                *([best] if best else []),
                *early_stopping(config),
            ],
        )
    kept = best.epoch if best else len(history.epoch)
    writer.metrics({"train_seconds": time.perf_counter() - started}, step=0)
    writer.tags({schema.KEPT: str(kept)})
    print(f"kept the weights of epoch {kept}")


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
    """Test metrics, latency of one view, and the probabilities themselves, averaged over the views."""
    if not len(rows):
        print("the dataset has no test part: nothing is evaluated")
        return
    probabilities = evaluation.predict_probabilities(averaged(model, views), dataset, rows, batch_size)
    metrics = evaluation.test_metrics(probabilities, dataset.labels[rows])
    writer.metrics(metrics | {"latency_ms": evaluation.latency_ms(model)}, step=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(schema.PREDICTIONS).name
        evaluation.predictions_table(dataset, rows, probabilities).to_parquet(path, index=False)
        store.log_file(run_id, path, str(Path(schema.PREDICTIONS).parent))
    print(" · ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
