"""One run from its config to its evaluation, in the order in which things happen."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from core import datasets
from core.analysis.scores import scores
from core.architectures import inference_model
from core.architectures.answer import note
from core.architectures.describe import describe_model
from core.architectures.layers import AuxiliaryModel
from core.architectures.model_check import check_own_model
from core.architectures.transfer import assemble, head_of
from core.config import DataConfig, ExperimentConfig
from core.datasets import ImageDataset, choices, split_report
from core.datasets.brightness import usual_brightness
from core.datasets.decode import Target
from core.datasets.records import Shape
from core.datasets.splits import Split
from core.datasets.versions import evaluation_fingerprint, split_fingerprint
from core.experiment import lineage
from core.experiment.augmentation import MixingModel, augmentation_layers, mixing_layer
from core.experiment.preparation import cropped, preparation
from core.experiment.preprocessing import needs_mean, training_mean
from core.experiment.pretrained import start_from
from core.experiment.views import averaged
from core.schedules import length
from core.system.memory import Memory, size
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.patience import patiently
from core.tracking.progress import report
from core.tracking.store import RunStore
from core.tracking.system import system_metrics
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.bottleneck import bottleneck_features
from core.training.callbacks import EpochLogger, ProgressReporter, RangeTest
from core.training.checkpoint import Checkpoint
from core.training.device import across_devices, environment, float32_layers, peak_bytes, set_up_device
from core.training.fitting import Task, fit
from core.training.initialization import initialize
from core.training.pipeline import Batches
from core.training.portable import finalize, portable
from core.training.regularization import regularized
from core.training.resident import Resident, resident

SPARE = 64 << 20  # bytes that a training takes besides its weights: predictions, metrics, its log


def train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str) -> None:
    """Train a run's net, keep the best weights, evaluate them once on the test part, log everything.

    A run that was interrupted goes on from its checkpoint.
    """
    with MetricWriter(store, run_id, waits=True) as writer:
        _train_and_evaluate(config, store, run_id, writer)


def _train_and_evaluate(config: ExperimentConfig, store: RunStore, run_id: str, writer: MetricWriter) -> None:
    report(store.settings, run_id, {"phase": "loading the images"})
    set_up_device(config.training)
    keras.utils.set_random_seed(config.seed)

    dataset = datasets.load(config.data.name, grey=config.data.grey)
    parts = choices.choose(dataset, config.data)
    run = length(config, len(parts.train))
    report(store.settings, run_id, {"phase": "building the model"})
    with across_devices(config.training.devices):
        net = assemble(config.model, choices.net_shape(config, dataset.info.shape), dataset.info.num_classes)
        net = regularized(net, config.regularization)
        config = start_from(net, config, store)  # decides the preprocessing
        check_own_model(config.model.name, net, config.data.preprocessing)
        if (added := note(inference_model(net))) is not None:
            print(added)
        mean = training_mean(dataset.images, parts.train) if needs_mean(config.data.preprocessing) else None
        print(
            f"data {config.data.name}: "
            + ", ".join(f"{len(rows)} {part}" for part, rows in vars(parts).items())
        )
        for sentence in split_report.sentences(dataset, config.data):
            print(sentence)
        require_same_data(store, run_id, config.data, dataset, parts)
        writer.call(partial(log_data, store, run_id, config, dataset, parts), schema.DATA)
        writer.call(partial(lineage.record, store, run_id, config, dataset, parts), schema.SEEN)
        writer.call(partial(log_environment, store, run_id), schema.ENVIRONMENT)
        checkpoint = Checkpoint(store.settings.checkpoint(run_id), patiently(lambda: extended(store, run_id)))
        if config.model.weights == "none" and not checkpoint.exists:
            initialize(net, config, dataset.images, parts.train, mean)
        macs, memory = counts(net, config, writer)
        memory.write(store.settings.memory_file(run_id))
        require_disk(store.settings, net, config)
        held = None
        if not config.model.bottleneck:
            held = resident(dataset.images, parts, config.training, memory.total)
        model, deployable = wrap(net, config, dataset.info.shape, mean, held)

        inputs = dataset.images
        if config.model.bottleneck:
            writer.begin()  # the first step may be long in coming
            report(store.settings, run_id, {"phase": "computing the outputs of the backbone"})
            inputs = bottleneck_features(net, config, dataset, mean, store.settings)
            model = head_of(net)
            macs = describe_model(model).macs
        batch_size = config.training.images_per_step
        least = config.training.devices
        training, validation = batches(inputs, dataset.labels, parts, batch_size, config.seed, held, least)
        weights = choices.weights(dataset, parts.train, config.data)
        task = Task(config, model, net, macs, training, validation, run, weights)

        progress = ProgressReporter(writer, run, len(training.rows))
        progress.phase("compiling")
        logger = EpochLogger(
            writer, len(training.rows), run.epochs, patiently(lambda: store.last_step(run_id))
        )
        writer.tags(loss_tags(logger.logged, patiently(lambda: store.state(run_id)).tags))
        with system_metrics(store, run_id, writer):
            testing_rates = config.schedule.name == "range_test"
            reporters: list[keras.callbacks.Callback] = [progress]
            if testing_rates:
                logged = patiently(lambda: store.last_step(run_id, "range_loss"))
                reporters.append(RangeTest(writer, training, logged))
            kept = fit(task, logger, reporters, checkpoint)
        if testing_rates:
            progress.phase(schema.SAVED)
            return  # weights that ran away are no result
        writer.begin()  # where nothing was left to train
        print(f"kept the weights of epoch {kept}")
        writer.tags({schema.KEPT: str(kept)})
        writer.metrics({"train_seconds": logger.seconds}, step=0)
        if (peak := peak_bytes()) is not None:
            writer.metrics({"gpu_peak_bytes": peak}, step=0)
        progress.phase("evaluating")
        saved, seen = portable(in_float32(deployable)), dataset
        answering = saved
        if config.model.bottleneck and saved is deployable:  # the same numbers, without the backbone again
            answering, seen = model, replace(dataset, images=inputs)
        views = config.augmentation.test_time
        evaluate(store, run_id, answering, seen, parts.test, batch_size, writer, views, least)
        progress.phase("measuring the latency")
        writer.metrics({"latency_ms": evaluation.latency_ms(saved)}, step=0)
        progress.phase("saving")
        info = dataset.info
        target = Target(*info.shape, info.options.get("policy", "stretch"), info.value_range)
        size_of_model = writer.attempt(
            "the model", lambda: store.log_model(run_id, saved, info.classes, target.sentences)
        )
        if size_of_model is not None:
            writer.metrics({"model_bytes": size_of_model}, step=0)
            writer.tags({schema.WEIGHTS: lineage.digest_of(map(np.asarray, saved.get_weights()))})
        progress.phase(schema.SAVED)


def loss_tags(logged: int, tags: Mapping[str, str]) -> dict[str, str]:
    """What to note of the loss that a run is about to log: since when it is the cross-entropy.

    Epochs that an older version logged had the objective there. logged: the last epoch in the store, 0 before
    the first. tags: those that the run has.
    """
    if not logged or schema.LOSS in tags:
        return {schema.LOSS: schema.CROSS_ENTROPY}
    return {} if schema.LOSS_FROM in tags else {schema.LOSS_FROM: str(logged + 1)}


def batches(
    images: np.ndarray,
    labels: np.ndarray,
    parts: Split,
    batch_size: int,
    seed: int,
    held: Resident | None = None,
    least: int = 1,
) -> tuple[Batches, Batches]:
    """Those that train and those that validate: of images, or of the rows of those that the device holds.

    A last batch that trains is at least half a batch: batch normalization would learn from a single image.
    least: as `Batches` takes it.
    """
    if held is None:
        train, validation = parts.train, parts.validation
    else:
        images, labels = np.arange(len(held.rows), dtype="int32"), labels[held.rows]
        train, validation = held.positions(parts.train), held.positions(parts.validation)
    return (
        Batches(images, labels, train, batch_size, seed, least=max(least, batch_size // 2)),
        Batches(images, labels, validation, batch_size, least=least),
    )


def wrap(
    net: keras.Model,
    config: ExperimentConfig,
    shape: Shape | None = None,
    mean: np.ndarray | None = None,
    held: Resident | None = None,
) -> tuple[keras.Model, keras.Model]:
    """The net that trains (with augmentation) and the one that is kept; they share their weights.

    Both take images of 0-255 as the dataset has them; they crop, preprocess and resize them, so that
    whoever loads the saved model feeds it pixels and cannot get that wrong.

    shape: `(H, W, C)` of the images; default: the net's. mean: the training part's mean image, where the
    preprocessing subtracts it. held: with it, the net that trains takes the rows of images instead.
    """
    with float32_layers():
        return _wrapped(net, config, shape, mean, held)


def _wrapped(
    net: keras.Model,
    config: ExperimentConfig,
    shape: Shape | None,
    mean: np.ndarray | None,
    held: Resident | None,
) -> tuple[keras.Model, keras.Model]:
    images = keras.Input(shape or net.input_shape[1:], name="images")
    cut = choices.net_shape(config, images.shape[1:])
    prepare = preparation(config, cut, net.input_shape[1:], mean)
    answer = inference_model(net)
    deployable = keras.Model(images, answer(prepare(cropped(images, cut))), name=net.name)
    if held is None:
        source = augmented = images
    else:
        source = keras.Input((), dtype="int32", name="rows")
        augmented = held.layer(source)
    for layer in augmentation_layers(config.augmentation, config.seed):
        augmented = layer(augmented)
    mix = mixing_layer(config.augmentation, config.seed)
    if mix is None and answer is net:
        return keras.Model(source, net(prepare(augmented)), name="training"), deployable
    augmented, *shares = (augmented,) if mix is None else mix(augmented)
    if answer is net:
        heads = [net(prepare(augmented))]
    else:
        heads = keras.Model(net.inputs, net.outputs)(prepare(augmented))  # the auxiliary ones train too
    kind = AuxiliaryModel if mix is None else MixingModel
    return kind(source, [*heads, *shares], name="training"), deployable


def in_float32(model: keras.Model) -> keras.Model:
    """A copy that computes in 32 bits on any device; the model itself where it does so already."""
    if keras.config.dtype_policy().name == "float32":
        return model
    text = json.dumps(keras.saving.serialize_keras_object(model))
    policy = keras.config.dtype_policy().name
    copy = keras.saving.deserialize_keras_object(json.loads(text.replace(f'"{policy}"', '"float32"')))
    copy.set_weights(model.get_weights())
    finalize(copy)
    return copy


def require_disk(settings: Settings, net: keras.Model, config: ExperimentConfig) -> None:
    """Raise OSError when there is no room for what a training writes, rather than lose it half-way."""
    copies = 2 * (2 + config.optimizer.slots) + 1  # a checkpoint beside the one before it, and the model
    needed, free = 4 * net.count_params() * copies + SPARE, shutil.disk_usage(settings.home).free
    if free < needed:
        raise OSError(f"This training writes up to {size(needed)} to {settings.home}; {size(free)} are free.")


def extended(store: RunStore, run_id: str) -> Path | None:
    """The checkpoint of the run that this one extends. Raises FileNotFoundError when it is gone."""
    other = store.state(run_id).tags.get(schema.EXTENDS)
    if other is None:
        return None
    path = store.settings.checkpoint(other)
    if not path.exists():
        raise FileNotFoundError(f"The checkpoint of the run {other}, which this one extends, is gone.")
    return path


def require_same_data(
    store: RunStore, run_id: str, data: DataConfig, dataset: ImageDataset, parts: Split
) -> None:
    """Raise ValueError when an earlier attempt of the run was made on other images.

    What it has logged would belong to two datasets, and its fingerprints would be those of one. An attempt by
    an older version, which logged no fingerprint of its split, had the split that such versions made.
    """
    try:
        before = patiently(lambda: store.read_json(run_id, schema.DATA))
    except FileNotFoundError:
        return
    if before.get("fingerprint") == dataset.info.fingerprint and "split_fingerprint" not in before:
        before["split_fingerprint"] = split_fingerprint(choices.choose(dataset, data, "legacy"))
    now = {"fingerprint": dataset.info.fingerprint, "split_fingerprint": split_fingerprint(parts)}
    if any(key in before and before[key] != value for key, value in now.items()):
        raise ValueError(
            f"The dataset '{dataset.info.name}' or its split has changed since this run began, so it cannot "
            "be continued. Launch it again as a new run."
        )


def log_data(
    store: RunStore, run_id: str, config: ExperimentConfig, dataset: ImageDataset, parts: Split
) -> None:
    """Write down which images the run saw, so that another can be compared with it."""
    info = dataset.info
    counts = {
        part: np.bincount(dataset.labels[rows], minlength=info.num_classes).tolist()
        for part, rows in vars(parts).items()
    }
    split, evaluation = split_fingerprint(parts), evaluation_fingerprint(parts)
    facts = {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "split_fingerprint": split,
        "evaluation_fingerprint": evaluation,
        "shape": list(info.shape),
        "policy": info.options.get(
            "policy", "stretch"
        ),  # how an image was made to fit, at import and in the demo
        "value_range": info.value_range,  # what became of images deeper than 8 bits, in the demo as well
        "brightness": usual_brightness(dataset, parts.train),  # the demo knows a negative by it
        "classes": list(info.classes),
        "counts": counts,
        **config.data.model_dump(exclude={"name"}),
    }
    store.log_metrics(run_id, set_metrics(counts))
    store.log_params(
        run_id,
        {schema.FINGERPRINT: info.fingerprint, schema.SPLIT: split, schema.EVALUATION: evaluation},
    )
    store.log_json(run_id, facts, schema.DATA)
    sizes = {part: int(sum(numbers)) for part, numbers in counts.items()}
    store.log_dataset(run_id, info.name, info.fingerprint, info.source, sizes)


def set_metrics(counts: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Facts about the validation and test images, by their names in the schema. counts: images per class."""
    found = {}
    for part in ("validation", "test"):
        if total := sum(counts[part]):
            found[f"{part}_images"] = float(total)
            found[f"{part}_classes"] = float(sum(count > 0 for count in counts[part]))
            found[f"{part}_majority"] = max(counts[part]) / total
    return found


def log_environment(store: RunStore, run_id: str) -> None:
    """Write down what the result depends on besides the config."""
    store.log_json(run_id, environment(), schema.ENVIRONMENT)


def counts(net: keras.Model, config: ExperimentConfig, writer: MetricWriter) -> tuple[int, Memory]:
    """What the net that is kept costs, and what training it takes; returns its multiply-accumulates too."""
    batch_size = config.training.images_per_step
    facts = describe_model(inference_model(net), batch_size, config.optimizer.slots)
    devices = config.training.devices
    fixed = facts.memory.total - batch_size * facts.memory.per_image
    memory = Memory(fixed * devices, facts.memory.per_image, batch_size, devices)
    writer.metrics(
        {
            "parameters": facts.total_parameters,
            "trainable_parameters": facts.trainable_parameters,
            "macs": facts.macs,
        },
        step=0,
    )
    print(
        f"net {net.name}: {facts.total_parameters:,} parameters, {facts.macs:,} multiply-accumulates; "
        f"training takes about {size(memory.total)}"
    )
    return facts.macs, memory


def evaluate(
    store: RunStore,
    run_id: str,
    model: keras.Model,
    dataset: ImageDataset,
    rows: np.ndarray,
    batch_size: int,
    writer: MetricWriter,
    views: str = "none",
    least: int = 1,
) -> None:
    """Test metrics, and the probabilities, averaged over the views. least: as `Batches` takes it."""
    if not len(rows):
        print("the dataset has no test set: nothing is evaluated")
        return
    probabilities = evaluation.predict_probabilities(averaged(model, views), dataset, rows, batch_size, least)
    labels = dataset.labels[rows]
    metrics = evaluation.test_metrics(probabilities, labels) | scores(probabilities, labels)
    writer.metrics(metrics, step=0)
    table = evaluation.predictions_table(dataset, rows, probabilities)
    writer.attempt(schema.PREDICTIONS, lambda: log_predictions(store, run_id, table))
    print(" · ".join(f"{name} {value:.4f}" for name, value in metrics.items()))


def log_predictions(store: RunStore, run_id: str, table: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(schema.PREDICTIONS).name
        table.to_parquet(path, index=False)
        store.log_file(run_id, path, str(Path(schema.PREDICTIONS).parent))
