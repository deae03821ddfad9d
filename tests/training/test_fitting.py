"""The stages of a run: what one hands to the next, what is logged of them, and batches that fill devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from core.architectures import build_model
from core.architectures.layers import AuxiliaryModel
from core.components.optimizers import optimizers
from core.config import ExperimentConfig
from core.schedules import Length, length, stages
from core.tracking import frames
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.checkpoint import Checkpoint
from core.training.epoch_logger import EpochLogger, LossNames
from core.training.fitting import Source, Task, compile_model, fit, plan
from core.training.models import wrap
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, OrderOfEpoch
from core.training.progress_reporter import ProgressReporter
from core.training.range_test import RangeTest
from core.training.regularization import regularized
from core.training.stopping import StopEarly

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).integers(0, 256, (42, 16, 16, 1), dtype="uint8")
LABELS = np.arange(42) % 4


def task(settings: dict) -> Task:
    """A small model, 30 images in four batches that train, the last of 6, and 12 that validate."""
    config = ExperimentConfig().with_values(settings)
    keras.utils.set_random_seed(config.seed)
    net = build_model("lenet5", (16, 16, 1), 4)
    model, _ = wrap(net, config)
    training = Batches(IMAGES, LABELS, np.arange(30), 8, config.seed)
    validation = Batches(IMAGES, LABELS, np.arange(30, 42), 8)
    run = Length(4, config.training.steps or 4 * config.training.epochs)
    return Task(config, model, net, 1000, training, validation, run)


class Weights(keras.callbacks.Callback):
    """Remembers the first weights of every fit, and those after every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.begins: list[list[np.ndarray]] = []
        self.ends: list[list[np.ndarray]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.begins.append(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.ends.append(self.model.get_weights())


def fitted(store: RunStore, chosen: Task, tmp_path: Path, *others: keras.callbacks.Callback) -> str:
    """Train as a run does; returns the run's id."""
    run_id = store.create(chosen.config)
    with MetricWriter(store, run_id) as writer:
        logger = EpochLogger(writer, 30, chosen.run.epochs)
        progress = ProgressReporter(writer, chosen.run, 30)
        fit(chosen, logger, [progress, *others], Checkpoint(tmp_path / "checkpoint.npz"))
    return run_id


@pytest.mark.parametrize("keep", ["best", "last"])
def test_steps_that_fill_no_epoch_go_on_from_the_last_step(
    store: RunStore, tmp_path: Path, keep: str
) -> None:
    """Neither from the best epoch nor from averages, which are what a run ends with."""
    watched = Weights()
    chosen = task(
        {"training.steps": 14, "training.keep": keep, "optimizer.ema": 0.9, "optimizer.learning_rate": 0.02}
    )
    run_id = fitted(store, chosen, tmp_path, watched)
    assert len(watched.begins) == 2
    assert len(watched.ends) == 4
    for begun, ended in zip(watched.begins[1], watched.ends[2], strict=True):
        np.testing.assert_array_equal(begun, ended)
    progress = store.state(run_id).progress
    assert (progress["step"], progress["steps"]) == (14, 14)
    assert store.read.last_step(run_id) == 4


def test_the_rate_of_an_epoch_is_the_one_it_was_trained_with(store: RunStore, tmp_path: Path) -> None:
    settings = {
        "training.epochs": 3,
        "schedule.name": "piecewise",
        "schedule.boundaries": "2",
        "optimizer.learning_rate": 0.01,
    }
    run_id = fitted(store, task(settings), tmp_path)
    rates = frames.histories(store, [run_id], ["learning_rate"])["value"]
    assert rates.tolist() == pytest.approx([0.01, 0.01, 0.001])


def test_a_range_test_tells_the_loss_of_each_step(store: RunStore, tmp_path: Path) -> None:
    """At rates that move nothing these are the losses of the batches, of the short last one too."""
    settings = {"schedule.name": "range_test", "training.epochs": 2, "optimizer.learning_rate": 1e-12}
    chosen = task(settings)
    run_id = store.create(chosen.config)
    losses = []
    for epoch in range(2):
        batches = chosen.training.from_epoch(epoch)
        for images, labels in (batches[index] for index in range(len(batches))):
            answers = keras.ops.convert_to_numpy(chosen.model(images.astype("float32")))
            losses.append(-np.log(answers[np.arange(len(labels)), labels]).mean())
    for logged in (0, 8):  # a second time, as after an interruption, nothing is written twice
        again = task(settings)
        compile_model(again.model, again.config, again.run, 1000)
        with MetricWriter(store, run_id) as writer:
            reporter = RangeTest(writer, again.training, logged)
            again.model.fit(
                again.training,
                epochs=2,
                shuffle=False,
                verbose=0,
                callbacks=[LossNames(), OrderOfEpoch(again.training), reporter],
            )
    found = frames.histories(store, [run_id], ["range_loss"])
    assert found["step"].tolist() == list(range(1, 9))
    np.testing.assert_allclose(found["value"], losses, rtol=1e-4)


class Traced(keras.layers.Layer):
    """Leave its input as it is, and remember how often a training step was traced."""

    times = 0

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        self.times += bool(training)
        return images


@pytest.mark.parametrize(("units", "steps_at_once"), [(4, 1), (1, 2)])
def test_a_training_step_is_traced_once(units: int, steps_at_once: int) -> None:
    images, traced = keras.Input((16, 16, 1)), Traced()
    activation = "softmax" if units > 1 else "sigmoid"
    model = keras.Model(
        images, keras.layers.Dense(units, activation=activation)(traced(keras.layers.Flatten()(images)))
    )
    compile_model(model, ExperimentConfig(), Length(4, 4), macs_per_step=1000)
    model.steps_per_execution = steps_at_once
    labels = LABELS[:32] if units > 1 else LABELS[:32] % 2
    model.fit(IMAGES[:32], labels, batch_size=8, verbose=0)
    assert traced.times == 1


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_moves_weights_at_its_defaults(name: str) -> None:
    weight = keras.Variable(np.ones(2, "float32"))
    config = ExperimentConfig().with_values({"optimizer.name": name})
    make_optimizer(config, Length(1, 1)).apply([keras.ops.array([1.0, 1.0])], [weight])
    assert (keras.ops.convert_to_numpy(weight) < 1).all()


@pytest.mark.parametrize(("policy", "scales"), [("mixed_float16", True), ("mixed_bfloat16", False)])
def test_float16_scales_the_loss(policy: str, scales: bool) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = task({}).model
        compile_model(model, ExperimentConfig(), Length(1, 1), 1000)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scales


def test_a_last_batch_takes_what_devices_lack_from_the_one_before() -> None:
    batches = Batches(IMAGES, LABELS, np.arange(33), 16, least=4)
    assert [len(batches[index][1]) for index in range(len(batches))] == [16, 13, 4]
    assert sorted(np.concatenate([batches[index][0] for index in range(3)]).sum(axis=(1, 2, 3))) == sorted(
        IMAGES[:33].sum(axis=(1, 2, 3))
    )
    enough = Batches(IMAGES, LABELS, np.arange(36), 16, least=4)
    assert [len(enough[index][1]) for index in range(3)] == [16, 16, 4]


PENALTIES = {
    "l2": {"regularization.l2_convolution": 0.1, "regularization.l2_dense": 0.1},
    "smoothing": {"training.label_smoothing": 0.3},
    "focal": {"training.loss": "focal"},
    "none": {},
}


@pytest.mark.parametrize("penalty", PENALTIES)
def test_val_loss_is_the_cross_entropy_and_val_objective_what_is_optimized(
    store: RunStore, tmp_path: Path, penalty: str
) -> None:
    settings = {"training.epochs": 1, "optimizer.learning_rate": 1e-12, "training.keep": "last"}
    chosen = task(settings | PENALTIES[penalty])
    chosen.model.set_weights([2 * weight for weight in chosen.model.get_weights()])
    regularized(chosen.network, chosen.config.regularization)
    run_id = fitted(store, chosen, tmp_path)
    probabilities = chosen.model.predict(IMAGES[30:].astype("float32"), verbose=0)
    cross_entropy = evaluation.test_metrics(probabilities, LABELS[30:])["test_loss"]
    objective = chosen.model.evaluate(IMAGES[30:].astype("float32"), LABELS[30:], verbose=0)[0]
    logged = store.run(run_id).data.metrics
    assert logged["val_loss"] == pytest.approx(cross_entropy, rel=1e-5)
    assert logged["val_objective"] == pytest.approx(objective, rel=1e-5)
    for prefix in ("", "val_"):
        same = logged[f"{prefix}objective"] == pytest.approx(logged[f"{prefix}loss"], rel=1e-3)
        assert same == (penalty == "none")


def test_class_weights_change_the_objective_alone(store: RunStore, tmp_path: Path) -> None:
    settings = {"training.epochs": 1, "optimizer.learning_rate": 1e-12}
    plain = store.run(fitted(store, task(settings), tmp_path / "plain")).data.metrics
    weighted = replace(task(settings), class_weight={0: 3.0, 1: 1.0, 2: 1.0, 3: 1.0})
    heavy = store.run(fitted(store, weighted, tmp_path / "weighted")).data.metrics
    assert heavy["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    assert heavy["objective"] > 1.2 * plain["objective"]


def test_auxiliary_heads_and_mixing_leave_the_loss_a_cross_entropy() -> None:
    config = ExperimentConfig().with_values({"augmentation.mixup": 0.5, "training.label_smoothing": 0.1})
    images = keras.Input((8, 8, 1))
    maps = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(images))
    heads = [keras.layers.Dense(3, activation="softmax")(maps) for _ in range(2)]
    model, _ = wrap(AuxiliaryModel(images, heads), config)
    compile_model(model, config, Length(1, 1), 1000)
    pixels, labels = IMAGES[:12, :8, :8].astype("float32"), LABELS[:12] % 3
    logs = model.evaluate(pixels, labels, return_dict=True, verbose=0)
    LossNames().on_epoch_end(0, logs)
    expected = evaluation.test_metrics(model.predict(pixels, verbose=0), labels)["test_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["objective"] != pytest.approx(expected, rel=1e-5)


def test_an_older_checkpoint_compares_no_loss_with_another_quantity(store: RunStore, tmp_path: Path) -> None:
    """Its loss had the penalties: below any cross-entropy with focal loss, so patience would only run out."""
    stopping = StopEarly(2, "val_loss")
    stopping.restore({"best": -0.01, "waited": 1, "stopped": False})
    stopping.on_epoch_end(0, {"val_loss": 0.9})
    assert (stopping.best.value, stopping.waited) == (-0.9, 0)
    stopping.restore(stopping.state())
    assert stopping.best.value == -0.9
    run_id = store.create(ExperimentConfig())
    with MetricWriter(store, run_id) as writer:
        EpochLogger(writer, 30, 5).restore(
            {
                "best": (0.5, -0.01),
                "best_epoch": 1,
                "seconds": 1.0,
                "history": [{"loss": 0.02, "val_loss": 0.01, "accuracy": 0.5}],
            }
        )
    logged = store.run(run_id).data.metrics
    assert logged == {"objective": 0.02, "val_objective": 0.01, "accuracy": 0.5}


@pytest.mark.parametrize(
    ("objectives", "shown"),
    [
        ((2.0004, 1.0, 0.5002), False),  # rounding, larger in some epochs than in others
        ((2.02, 1.0000000001, 0.5), True),  # a penalty that melts away
    ],
)
def test_the_log_has_the_objective_in_all_epochs_of_a_run_or_in_none(
    store: RunStore, objectives: tuple[float, ...], shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    model = task({}).model
    compile_model(model, ExperimentConfig(), Length(4, 12), 1000)

    def epochs(logger: EpochLogger, numbers: range) -> None:
        logger.set_model(model)
        for number in numbers:
            logger.on_epoch_begin(number)
            logger.on_epoch_end(number, {"loss": (2.0, 1.0, 0.5)[number], "objective": objectives[number]})

    with MetricWriter(store, store.create(ExperimentConfig())) as writer:
        begun = EpochLogger(writer, 30, 3)
        epochs(begun, range(2))
        resumed = EpochLogger(writer, 30, 3, logged=2)
        resumed.restore(begun.state())
        epochs(resumed, range(2, 3))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [" · objective " in line for line in lines] == 3 * [shown]


def test_the_best_epoch_is_that_of_the_highest_validation_accuracy_so_far(store: RunStore) -> None:
    """Of equal accuracies that with the lower validation loss; an interruption changes nothing."""
    model = task({}).model
    compile_model(model, ExperimentConfig(), Length(4, 20), 1000)
    epochs = [(0.5, 1.0), (0.7, 0.9), (0.6, 0.1), (0.7, 0.8), (0.7, 0.85)]  # val_accuracy, val_loss

    def ends(logger: EpochLogger, number: int) -> None:
        logger.set_model(model)
        logger.on_epoch_begin(number)
        logger.on_epoch_end(number, dict(zip(("val_accuracy", "val_loss"), epochs[number], strict=True)))

    with MetricWriter(store, store.create(ExperimentConfig())) as writer:
        begun = EpochLogger(writer, 30, 5)
        for number in range(3):
            ends(begun, number)
        resumed = EpochLogger(writer, 30, 5, logged=3)
        resumed.restore(begun.state())
        for number in range(3, 5):
            ends(resumed, number)
    assert [values["best_epoch"] for values in resumed.history] == [1, 2, 2, 4, 4]
    assert [values["best_val_accuracy"] for values in resumed.history] == [0.5, 0.7, 0.7, 0.7, 0.7]


class Clock(keras.callbacks.Callback):
    """A clock that the batches move: by 100 s with the first, which compiles, by 1 s with each other one."""

    now = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.now += 100 if self.now == 0 else 1


@pytest.mark.parametrize(("images", "expected"), [(32, [8.0, 8.0]), (8, [None, 8.0])])
def test_speed_leaves_out_the_execution_that_compiles(
    store: RunStore, images: int, expected: list[float | None]
) -> None:
    """Where an epoch is one batch of 8, the first has no other one to be measured by."""
    chosen = task({})
    batches = Batches(IMAGES, LABELS, np.arange(images), 8, 0)
    compile_model(chosen.model, chosen.config, Length(len(batches), len(batches)), 1000)
    clock = Clock()
    with MetricWriter(store, store.create(chosen.config)) as writer:
        logger = EpochLogger(writer, images, 2, clock=lambda: clock.now)
        chosen.model.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[clock, LossNames(), logger])
    assert [values.get("images_per_second") for values in logger.history] == expected


UNFREEZES = {"model.unfreeze_epoch": 2, "model.head": "gap", "model.freeze": "all", "training.steps": 35}


@pytest.mark.parametrize(
    ("values", "interrupted", "sources"),
    [
        ({}, None, [Source.MODEL]),
        ({}, 0, [Source.INTERRUPTION]),
        ({"training.steps": 35}, None, [Source.MODEL, Source.LAST_STEP]),  # three epochs and half of one
        ({"training.steps": 35}, 1, [Source.INTERRUPTION]),
        (UNFREEZES, None, [Source.MODEL, Source.MODEL, Source.LAST_STEP]),
        (UNFREEZES, 1, [Source.INTERRUPTION, Source.LAST_STEP]),
    ],
)
def test_what_is_left_to_train_follows_from_the_stages_and_the_checkpoint(
    values: dict[str, object], interrupted: int | None, sources: list[Source]
) -> None:
    config = ExperimentConfig().with_values({"training.epochs": 4, "training.batch_size": 10, **values})
    legs = plan(stages(config, length(config, 100)), interrupted)
    assert [leg.source for leg in legs] == sources
    assert [leg.number for leg in legs] == list(range(interrupted or 0, (interrupted or 0) + len(sources)))
    after_a_stop = [leg.number for leg in legs if leg.follows_early_stopping]
    assert after_a_stop == ([1] if values is UNFREEZES else [])  # the unfrozen stage, never a rest
