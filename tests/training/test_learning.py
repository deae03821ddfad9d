"""Losses, regularization, stages, precision and devices: each changes what it must and nothing else."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from core.architectures import build_model, inference_model
from core.components.losses import losses
from core.config import ConfigError, DataConfig, ExperimentConfig, RegularizationConfig, TrainingConfig
from core.datasets import choices, load
from core.datasets.splits import Split
from core.schedules import Length, Stage, stages
from core.system.settings import PROGRAM, Settings
from core.training.experiment import batches
from core.training.fitting import compile_model
from core.training.losses import ClassLoss, make_loss
from core.training.models import in_float32, wrap
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches
from core.training.regularization import regularized
from core.training.resident import resident
from core.training.stopping import StopEarly

pytestmark = pytest.mark.slow

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
LABELS = np.array([0, 1])
FOCAL = losses.get("focal")


def value(loss: keras.losses.Loss, labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(loss(labels, probabilities))


def test_smoothing_moves_its_share_to_all_classes() -> None:
    targets = np.array([[0.9, 0, 0], [0, 0.9, 0]]) + 0.1 / 3
    expected = -(targets * np.log(PROBABILITIES)).sum(axis=1).mean()
    assert value(ClassLoss(smoothing=0.1), LABELS, PROBABILITIES) == pytest.approx(expected, rel=1e-5)
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(np.eye(3)[LABELS], PROBABILITIES)
    assert value(ClassLoss(smoothing=0.1), LABELS, PROBABILITIES) == pytest.approx(float(theirs), rel=1e-5)


def test_focus_counts_less_what_is_sure() -> None:
    right = PROBABILITIES[[0, 1], LABELS]
    expected = (-((1 - right) ** 2) * np.log(right)).mean()
    assert value(ClassLoss(0, FOCAL, {"focal_gamma": 2}), LABELS, PROBABILITIES) == pytest.approx(
        expected, rel=1e-5
    )
    assert value(ClassLoss(), LABELS, PROBABILITIES) == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_one_sigmoid_unit_is_two_classes() -> None:
    sigmoid = np.array([[0.8], [0.4]], "float32")
    labels = np.array([[1], [0]])
    focal = ClassLoss(0.2, FOCAL, {"focal_gamma": 2})
    both = value(focal, labels, np.concatenate([1 - sigmoid, sigmoid], axis=1))
    assert value(focal, labels, sigmoid) == pytest.approx(both)
    theirs = float(keras.losses.BinaryCrossentropy(label_smoothing=0.2)(labels, sigmoid))
    assert value(ClassLoss(0.2), labels, sigmoid) == pytest.approx(theirs, rel=1e-5)


def test_the_plain_losses_are_those_of_keras() -> None:
    assert make_loss(TrainingConfig(), 10) == "sparse_categorical_crossentropy"
    assert make_loss(TrainingConfig(), 1) == "binary_crossentropy"
    assert isinstance(make_loss(TrainingConfig(label_smoothing=0.1), 10), ClassLoss)


def test_l2_adds_its_factor_times_the_squares_by_kind() -> None:
    net = build_model("conv3", (22, 22, 3), 4)
    plain = float(sum(net.losses))
    part = RegularizationConfig(l2_convolution=0.01, l2_dense=0.1)
    regularized(net, part)
    expected = sum(
        {"Conv2D": 0.01, "Dense": 0.1}[type(layer).__name__] * float((layer.get_weights()[0] ** 2).sum())
        for layer in net.layers
        if layer.weights
    )
    assert plain == 0
    assert float(sum(net.losses)) == pytest.approx(expected, rel=1e-5)


def test_dropout_stands_before_the_layer_that_classifies() -> None:
    net = build_model("lenet5", (28, 28, 1), 10)
    changed = regularized(net, RegularizationConfig(dropout=0.9))
    names = [layer.name for layer in changed.layers]
    assert names.index("dropout_before_answer") == names.index(net.layers[-1].name) - 1
    assert changed.count_params() == net.count_params()
    images = np.random.default_rng(0).uniform(size=(2, 28, 28, 1)).astype("float32")
    answers = [keras.ops.convert_to_numpy(changed(images, training=True)) for _ in range(2)]
    assert not np.allclose(*answers)
    changed.set_weights(net.get_weights())
    np.testing.assert_allclose(changed(images, training=False), net(images, training=False), atol=1e-6)


def test_dropout_leaves_auxiliary_classifiers_and_frozen_layers_as_they_are() -> None:
    net = build_model("googlenet", (32, 32, 3), 4, auxiliary=True)
    net.layers[1].trainable = False
    changed = regularized(net, RegularizationConfig(dropout=0.5))
    assert type(changed) is type(net)
    assert len(changed.outputs) == 3
    assert inference_model(changed).count_params() == inference_model(net).count_params()
    assert [layer.name for layer in changed.layers if not layer.trainable] == [net.layers[1].name]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"training.epochs": 4}, [Stage(0, 4, 40)]),
        (
            {"training.epochs": 4, "model.unfreeze_epoch": 1, "model.freeze": "all"},
            [Stage(0, 1, 10), Stage(1, 4, 40, unfrozen=True)],
        ),
        ({"training.steps": 25}, [Stage(0, 2, 25), Stage(2, 3, 25, begins=False, steps=5)]),
        ({"training.steps": 7}, [Stage(0, 1, 7, begins=True, steps=7)]),
        ({"training.steps": 20}, [Stage(0, 2, 20)]),
    ],
)
def test_stages_cover_a_run_once(settings: dict, expected: list[Stage]) -> None:
    config = ExperimentConfig().with_values(settings)
    run = Length(10, config.training.steps or 10 * config.training.epochs)
    assert stages(config, run) == expected


def test_gradients_are_clipped_as_asked() -> None:
    weight = keras.Variable(np.zeros(2, "float32"))
    config = ExperimentConfig().with_values(
        {
            "optimizer.name": "sgd",
            "optimizer.momentum": 0,
            "optimizer.learning_rate": 1,
            "optimizer.clip_norm": 1,
        }
    )
    make_optimizer(config, Length(1, 1)).apply([keras.ops.array([3.0, 4.0])], [weight])
    np.testing.assert_allclose(weight, [-0.6, -0.8], rtol=1e-5)
    weight.assign([0, 0])
    config = config.with_values({"optimizer.clip_norm": 0, "optimizer.clip_value": 3.5})
    make_optimizer(config, Length(1, 1)).apply([keras.ops.array([3.0, 4.0])], [weight])
    np.testing.assert_allclose(weight, [-3.0, -3.5], rtol=1e-5)


def test_patience_runs_out_after_so_many_epochs_without_a_better_value() -> None:
    stopping = StopEarly(2, "val_accuracy")
    stopping.set_model(build_model("lenet5", (28, 28, 1), 10))
    for epoch, accuracy in enumerate([0.5, 0.6, 0.6, 0.5]):
        assert not stopping.stopped
        stopping.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1})
    assert stopping.stopped


def test_mixed_precision_computes_in_16_bits_and_keeps_32() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = build_model("lenet5", (28, 28, 1), 10)
        _, deployable = wrap(net, ExperimentConfig())
        kept = in_float32(deployable)
    finally:
        keras.config.set_dtype_policy("float32")
    *hidden, answer = [layer.compute_dtype for layer in net.layers if layer.weights]
    assert set(hidden) == {"bfloat16"}
    assert answer == "float32"  # probabilities of 16 bits could not tell 0.999 from 1
    assert {str(weight.dtype) for weight in net.weights} == {"float32"}
    (inner,) = [layer for layer in kept.layers if isinstance(layer, keras.Model)]
    assert {layer.compute_dtype for layer in inner.layers if layer.weights} == {"float32"}
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1)).astype("float32")
    exact = keras.ops.convert_to_numpy(kept(images, training=False))
    rough = keras.ops.convert_to_numpy(keras.ops.cast(deployable(images, training=False), "float32"))
    assert exact.dtype == np.float32
    assert 0 < np.abs(exact - rough).max() < 0.05


def test_two_ways_of_clipping_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match=r"must not both be above 0. Received: 1 and 2."):
        ExperimentConfig().with_values({"optimizer.clip_norm": 1, "optimizer.clip_value": 2})


TWO_DEVICES = """
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from core.architectures import build_model
from core.config import ExperimentConfig
from core.schedules import Length
from core.system.settings import PROGRAM, Settings
from core.training.device import DeviceError, across_devices
from core.training.fitting import compile_model
from core.training.pipeline import Batches, fed
from core.training.models import wrap

def train(devices):
    keras.utils.set_random_seed(3)
    config = ExperimentConfig().with_values({
        "optimizer.name": "sgd", "optimizer.learning_rate": 0.05, "training.devices": devices})
    images = np.random.default_rng(0).integers(0, 256, (161, 28, 28, 1), dtype="uint8")
    with across_devices(devices):
        model, _ = wrap(build_model("lenet5", (28, 28, 1), 4), config)
        compile_model(model, config, Length(11, 22), 1000)
        batches = Batches(images, np.arange(161) % 4, np.arange(161), 16, seed=1, least=2)
        return model.fit(fed(batches), epochs=2, shuffle=False, verbose=0).history["loss"]

one, two = train(1), train(2)
assert np.allclose(one, two, rtol=1e-3), (one, two)  # 15 images are shared unevenly
try:
    with across_devices(3):
        pass
except DeviceError as error:
    print(error)
"""


def test_devices_that_share_each_batch_train_what_one_trains() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], cwd=PROGRAM, capture_output=True, text=True, check=False
    )
    said = "training.devices must be at most the number of devices here, 2. Received: 3."
    assert answer.stdout.strip() == said, answer.stderr[-2000:]


IMAGES = np.random.default_rng(0).integers(0, 256, (48, 16, 16, 1), dtype="uint8")
CLASSES = np.arange(48) % 4


def trained(config: ExperimentConfig, class_weight: dict[int, float] | None = None) -> list[np.ndarray]:
    """Weights of a small model after two epochs in batches of 8, of which some rows validate."""
    keras.utils.set_random_seed(5)
    net = build_model("declarative", (16, 16, 1), 4)
    random = np.random.default_rng(1).permutation(48)
    parts = Split(random[:30], random[30:40], random[40:])
    held = resident(IMAGES, parts, config.training, 0)
    assert (held is not None) == (config.training.images_on_device == "on")
    model, deployable = wrap(net, config, held=held)
    training, validation = batches(IMAGES, CLASSES, parts, 8, 0, held)
    compile_model(model, config, Length(len(training), 2 * len(training)), 1000)
    history = model.fit(
        training, validation_data=validation, epochs=2, shuffle=False, class_weight=class_weight, verbose=0
    ).history
    return [*deployable.get_weights(), np.array(history["loss"]), np.array(history["val_loss"])]


@pytest.mark.parametrize("augmentation", [{}, {"pad_and_crop": 2, "mixup": 0.3}])
def test_images_on_the_device_train_the_same_model(augmentation: dict) -> None:
    settings = {f"augmentation.{name}": value for name, value in augmentation.items()}
    away = ExperimentConfig().with_values({**settings, "training.images_on_device": "off"})
    there = away.with_values({"training.images_on_device": "on"})
    for one, other in zip(trained(away), trained(there), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_stay_where_they_are_without_a_gpu() -> None:
    assert resident(IMAGES, Split(*[np.arange(8)] * 3), TrainingConfig(), 0) is None


def test_class_weights_weigh_the_loss_of_their_images() -> None:
    config = ExperimentConfig().with_values({"optimizer.learning_rate": 1e-9})
    flat = [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    model, deployable = wrap(keras.Sequential(flat), config)
    compile_model(model, config, Length(1, 1), 1000)
    answers = deployable.predict(IMAGES, verbose=0)
    weights = np.array([0.5, 1, 2, 4])
    expected = (weights[CLASSES] * -np.log(answers[np.arange(48), CLASSES])).mean()
    all_rows = Batches(IMAGES, CLASSES, np.arange(48), 48)
    history = model.fit(all_rows, class_weight=dict(enumerate(weights.tolist())), verbose=0).history
    assert history["loss"] == pytest.approx([expected], rel=1e-4)


def test_what_a_fold_trains_on_is_in_no_other_set(settings: Settings) -> None:
    """Told by the images themselves, as the training reads them."""
    dataset = load("digits")
    for fold in range(3):
        parts = choices.split_for(dataset, DataConfig(folds=3, fold=fold))
        training, _ = batches(dataset.images, dataset.labels, parts, 64, 0)
        seen = {image.tobytes() for index in range(len(training)) for image in training[index][0]}
        assert len(seen) == len(parts.train)
        for rows in (parts.validation, parts.test):
            assert not seen & {image.tobytes() for image in dataset.images[rows]}
