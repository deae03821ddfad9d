"""Batch normalization is validated and kept with statistics that fit the weights after any training."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from core.architectures import build_model
from core.architectures.transfer import assemble
from core.config import ExperimentConfig
from core.datasets.splits import Split
from core.schedules import Length
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.batch_statistics import limited_momentum, measure_statistics, statistics_layers
from core.training.checkpoint import Checkpoint
from core.training.epoch_logger import EpochLogger
from core.training.experiment import batches
from core.training.fitting import Task, fit
from core.training.models import wrap
from core.training.optimizers import inner_optimizer
from core.training.pipeline import Batches

pytestmark = pytest.mark.slow

DIGITS = load_digits()
IMAGES = np.kron(DIGITS.images, np.ones((1, 2, 2)))[..., None].astype("uint8") * 15  # 16×16, 0-240
LABELS = DIGITS.target.astype("int64")
LAYERS = [
    {"conv": {"filters": 16, "size": 3, "padding": "same"}},
    {"batch_norm": {"momentum": 0.999}},
    {"activation": "relu"},
    {"pool": 2},
    {"conv": {"filters": 16, "size": 3, "padding": "same"}},
    "batch_norm",
    {"activation": "relu"},
    "flatten",
    "softmax",
]


def declarative(config: ExperimentConfig) -> keras.Model:
    return build_model("declarative", (16, 16, 1), 10, layers=LAYERS)


def nested(config: ExperimentConfig) -> keras.Model:
    """A model of somebody's own: batch normalization in a model inside it."""
    images = keras.Input((16, 16, 1))
    block = keras.Sequential(
        [keras.layers.Conv2D(16, 3), keras.layers.BatchNormalization(), keras.layers.ReLU()], name="block"
    )
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(block(images)))
    return keras.Model(images, outputs)


def under_another_head(config: ExperimentConfig) -> keras.Model:
    return assemble(config.model, (16, 16, 1), 10)


def task(settings: dict, build=declarative, images: int = 400) -> Task:
    """Some hundred images in batches of 64 that train, the others validate."""
    config = ExperimentConfig().with_values({"training.epochs": 5, **settings})
    keras.utils.set_random_seed(config.seed)
    net = build(config)
    model, _ = wrap(net, config)
    validates = config.data.validation_fraction > 0
    parts = Split(np.arange(images), np.arange(images, 1797 if validates else images), np.arange(0))
    training, validation = batches(IMAGES, LABELS, parts, config.training.batch_size, config.seed)
    run = Length(len(training), config.training.steps or config.training.epochs * len(training))
    return Task(config, model, net, 1000, training, validation, run)


def fitted(store: RunStore, chosen: Task, tmp_path: Path, *reporters: keras.callbacks.Callback) -> dict:
    """Train as a run does; returns the metrics of its last epoch."""
    run_id = store.create(chosen.config)
    with MetricWriter(store, run_id) as writer:
        logger = EpochLogger(writer, len(chosen.training.rows), chosen.run.epochs)
        fit(chosen, logger, list(reporters), Checkpoint(tmp_path / "checkpoint.npz"))
    return store.run(run_id).data.metrics


def on_validation(chosen: Task) -> dict[str, float]:
    rows = chosen.validation.rows
    probabilities = chosen.model.predict(IMAGES[rows].astype("float32"), verbose=0)
    return evaluation.test_metrics(probabilities, LABELS[rows])


SHORT = {
    "declarative": (declarative, {}),
    "nested": (nested, {}),
    "head": (under_another_head, {"model.name": "lenet5", "model.head": "flatten_dense"}),
    "registered": (under_another_head, {"model.name": "resnet_cifar", "model.options": {"depth": 8}}),
    "one epoch": (declarative, {"training.epochs": 1}),
    "steps": (declarative, {"training.steps": 3, "optimizer.learning_rate": 0.01}),
    "averaged": (declarative, {"optimizer.ema": 0.9}),
    "averaged, last": (declarative, {"optimizer.ema": 0.9, "training.keep": "last"}),
}


@pytest.mark.parametrize("kind", SHORT)
def test_a_short_training_is_validated_with_statistics_of_its_weights(
    store: RunStore, tmp_path: Path, kind: str
) -> None:
    build, settings = SHORT[kind]
    chosen = task(settings, build)
    metrics = fitted(store, chosen, tmp_path)
    kept = on_validation(chosen)
    assert kept["test_accuracy"] == pytest.approx(metrics["best_val_accuracy"], abs=0.002)
    measure_statistics(chosen.model, Batches(IMAGES, LABELS, chosen.training.rows, 200))
    measured = on_validation(chosen)
    assert kept["test_accuracy"] == pytest.approx(measured["test_accuracy"], abs=0.06)
    assert kept["test_loss"] == pytest.approx(measured["test_loss"], rel=0.1)


def test_frozen_statistics_stay_as_they_are(store: RunStore, tmp_path: Path) -> None:
    for averaged in (0, 0.9):
        settings = {"optimizer.ema": averaged, "training.epochs": 1}
        chosen = task(settings, nested)
        frozen = chosen.network.get_layer("block")
        frozen.trainable = False
        frozen.layers[1].moving_mean.assign(np.arange(16, dtype="float32"))
        before = frozen.get_weights()
        fitted(store, chosen, tmp_path / str(averaged))
        for now, then in zip(frozen.get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)
        assert frozen.layers[1].momentum == 0.99
        assert statistics_layers(chosen.model) == []


def test_momentum_leaves_a_thousandth_of_what_is_older_than_an_epoch() -> None:
    assert limited_momentum(0.99, 1, 64) == pytest.approx(0.001)
    assert limited_momentum(0.99, 8, 64) ** 8 == pytest.approx(0.001)
    assert limited_momentum(0.99, 1000, 64) == 0.9
    assert limited_momentum(0.99, 1000, 2) == 1 - 2 / 64  # an average over 32 steps of two images
    assert limited_momentum(0.5, 1000, 64) == 0.5


class Averages(keras.callbacks.Callback):
    """Remembers the moving averages of the weights at the end of every epoch."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        found = inner_optimizer(self.model)._model_variables_moving_average
        self.last = [keras.ops.convert_to_numpy(one).copy() for one in found]


def test_averages_are_kept_with_their_statistics_where_nothing_validates(
    store: RunStore, tmp_path: Path
) -> None:
    chosen, averages = task({"optimizer.ema": 0.9, "data.validation_fraction": 0}), Averages()
    fitted(store, chosen, tmp_path, averages)
    for weight, average in zip(chosen.model.trainable_weights, averages.last, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), average)
    kept = chosen.model.get_weights()
    measure_statistics(chosen.model, chosen.training.from_epoch(5))
    for now, then in zip(chosen.model.get_weights(), kept, strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-5, atol=1e-6)


def test_speed_does_not_count_the_measurement(store: RunStore, tmp_path: Path) -> None:
    """The third time that the clock is read ends the training steps, the fourth the epoch."""
    chosen = task({"optimizer.ema": 0.9, "training.epochs": 1})
    layer, read = statistics_layers(chosen.model)[0], []

    def clock() -> float:
        read.append(keras.ops.convert_to_numpy(layer.moving_mean).copy())
        return float(len(read))

    with MetricWriter(store, store.create(chosen.config)) as writer:
        logger = EpochLogger(writer, 400, 1, clock=clock)
        fit(chosen, logger, [], Checkpoint(tmp_path / "checkpoint.npz"))
    assert len(read) == 4
    assert not np.array_equal(read[2], read[3])  # measured after the steps were timed


def test_no_batch_that_trains_is_much_smaller_than_the_others() -> None:
    """The 65th image alone would be 58 % of the statistics at the end of an epoch."""
    parts = Split(np.arange(65), np.arange(65, 75), np.arange(0))
    training, _ = batches(IMAGES, LABELS, parts, 64, 0)
    assert [len(training[index][1]) for index in range(len(training))] == [33, 32]
    assert [training.images_before(index) for index in range(3)] == [0, 33, 65]
