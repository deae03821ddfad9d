"""Training in this process, on images so few that everything can be checked."""

from __future__ import annotations

import itertools
from dataclasses import replace

import keras
import numpy as np
import pytest

from core.architectures import build_model
from core.architectures.classifier_output import class_probabilities
from core.components.optimizers import optimizers
from core.config import AugmentationConfig, ExperimentConfig
from core.config.experiment import from_yaml
from core.datasets import choices, curate
from core.datasets.versions import evaluation_fingerprint, split_fingerprint
from core.experiment.augmentation import augmentation_layers
from core.schedules import Length
from core.tracking import schema
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.best import KeepBest
from core.training.experiment import load_data
from core.training.fitting import compile_model
from core.training.logged import log_data, loss_tags, require_same_data
from core.training.models import wrap
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, fed, steps_per_execution
from core.training.progress_reporter import ProgressReporter

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype="uint8")
LABELS = np.arange(40) % 4


def test_every_row_comes_once_an_epoch_and_epochs_differ() -> None:
    rows = np.arange(5, 40)
    batches = Batches(IMAGES, LABELS, rows, batch_size=8, seed=3)
    numbered = Batches(np.arange(40), np.arange(40), rows, batch_size=8, seed=3)
    assert len(batches) == 5
    first = [numbered[index][0].tolist() for index in range(5)]
    assert sorted(itertools.chain(*first)) == rows.tolist()
    numbered.on_epoch_end()
    second = [numbered[index][0].tolist() for index in range(5)]
    assert sorted(itertools.chain(*second)) == rows.tolist()
    assert first != second


def test_one_seed_gives_one_order() -> None:
    orders = [[Batches(np.arange(40), LABELS, np.arange(40), 8, seed)[0][0].tolist()] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_images_stay_uint8_and_belong_to_their_labels() -> None:
    images, labels = Batches(IMAGES, LABELS, np.arange(40), 16, seed=1)[0]
    assert images.dtype == np.uint8
    for image, label in zip(images, labels, strict=True):
        (row,) = [index for index in range(40) if (IMAGES[index] == image).all()]
        assert LABELS[row] == label


def test_keras_is_fed_what_the_batches_are_in_the_order_of_the_epoch() -> None:
    numbers = np.arange(20, dtype="int32")
    batches = Batches(numbers, LABELS[:20], np.arange(20), 8, seed=3)
    feed = fed(batches)
    for epoch in (0, 1):
        batches.set_epoch(epoch)
        seen = [rows.tolist() for rows, _ in feed.as_numpy_iterator()]
        assert seen == [batches[index][0].tolist() for index in range(3)]
    assert int(feed.cardinality()) == 3


def test_no_epoch_waits_for_a_pipeline_that_tunes_itself() -> None:
    """TensorFlow's tuning sleeps twice as long each time, and the end of an epoch waits until it wakes."""
    feed = fed(Batches(IMAGES, LABELS, np.arange(40), 8))
    assert feed.options().autotune.enabled is False


@pytest.mark.parametrize(
    "config", [AugmentationConfig(horizontal_flip=True), AugmentationConfig(pad_and_crop=3)]
)
def test_augmentation_changes_training_images_and_no_others(config: AugmentationConfig) -> None:
    (layer,) = augmentation_layers(config, seed=0)
    images = IMAGES.astype("float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images, training=False)), images)
    changed = keras.ops.convert_to_numpy(layer(images, training=True))
    assert changed.shape == images.shape
    assert not np.array_equal(changed, images)


def test_pad_and_crop_moves_the_image_and_fills_with_zeros() -> None:
    (layer,) = augmentation_layers(AugmentationConfig(pad_and_crop=2), seed=0)
    images = 1 + np.arange(8 * 6 * 5, dtype="float32").reshape(8, 6, 5, 1)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    places = set()
    for _ in range(10):
        for before, after in zip(padded, np.asarray(layer(images, training=True)), strict=True):
            found = [
                (top, left)
                for top in range(5)
                for left in range(5)
                if np.array_equal(before[top : top + 6, left : left + 5], after)
            ]
            assert len(found) == 1
            places.update(found)
    assert len(places) == 25  # each shift of -2 to 2 comes up among eighty draws of twenty-five


def test_the_kept_model_takes_pixels_and_shares_its_weights() -> None:
    config = ExperimentConfig().with_values({"augmentation.horizontal_flip": True})
    net = build_model("lenet5", (16, 16, 1), 4)
    model, kept = wrap(net, config)
    pixels = IMAGES[:3].astype("float32")
    expected = net.predict(pixels / 255, verbose=0)
    np.testing.assert_allclose(kept.predict(pixels, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), expected, atol=1e-6)


def test_progress_never_passes_the_end(store: RunStore) -> None:
    """41 steps are four executions of 10 and one of 1, which Keras counts as if it had 10 as well."""
    run_id = store.create(ExperimentConfig())
    rows = np.tile(np.arange(40), 9)[: 41 * 8]
    batches = Batches(IMAGES, LABELS, rows, 8)
    model, _ = wrap(build_model("lenet5", (16, 16, 1), 4), ExperimentConfig())
    compile_model(model, ExperimentConfig(), Length(len(batches), len(batches)), macs_per_step=1000)
    seen = []
    with MetricWriter(store, run_id) as writer:
        reporter = ProgressReporter(writer, Length(len(batches), 2 * len(batches)), len(rows))
        after = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(reporter.last["step"])
        )
        model.fit(batches, epochs=2, verbose=0, callbacks=[reporter, after])
    assert seen == [10, 20, 30, 40, 41, 51, 61, 71, 81, 82]
    assert store.state(run_id).progress["remaining_s"] == 0


def test_best_weights_are_those_of_the_best_epoch() -> None:
    model, _ = wrap(build_model("lenet5", (16, 16, 1), 4), ExperimentConfig())
    keep = KeepBest()
    keep.set_model(model)
    weights = []
    for epoch, (accuracy, loss) in enumerate([(0.5, 1.0), (0.7, 0.9), (0.7, 0.8), (0.6, 0.1)]):
        model.set_weights([np.full(weight.shape, epoch, "float32") for weight in model.get_weights()])
        weights.append(model.get_weights())
        keep.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    keep.give_to(model)
    assert keep.epoch == 3  # equal accuracy, lower loss
    for kept, expected in zip(model.get_weights(), weights[2], strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_the_same_seed_trains_the_same_model() -> None:
    def train() -> list[float]:
        keras.utils.set_random_seed(5)
        config = ExperimentConfig().with_values({"augmentation.pad_and_crop": 1})
        model, _ = wrap(build_model("lenet5", (16, 16, 1), 4), config)
        batches = Batches(IMAGES, LABELS, np.arange(40), 8, seed=5)
        compile_model(model, config, Length(len(batches), 2 * len(batches)), macs_per_step=1000)
        return model.fit(batches, epochs=2, verbose=0).history["loss"]

    assert train() == train()


def test_auxiliary_heads_train_and_are_not_kept() -> None:
    net = build_model("googlenet", (32, 32, 3), 4, auxiliary=True)
    model, kept = wrap(net, ExperimentConfig())
    assert len(model.outputs) == 3
    assert kept.output_shape == (None, 4)
    compile_model(model, ExperimentConfig(), Length(1, 1), macs_per_step=1000)
    model.run_eagerly = True  # tracing so many layers takes longer than a step
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype="uint8")
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in net.trainable_weights]
    history = model.fit(images.astype("float32"), LABELS[:8], verbose=0).history
    assert set(history) == {"loss", "accuracy", "cross_entropy"}
    changed = [
        not np.array_equal(old, keras.ops.convert_to_numpy(new))
        for old, new in zip(before, net.trainable_weights, strict=True)
    ]
    assert all(changed)  # those of the auxiliary heads too
    assert kept.count_params() < net.count_params()


@pytest.mark.parametrize("name", optimizers.names())
def test_every_optimizer_of_the_config_exists(name: str) -> None:
    config = ExperimentConfig().with_values(
        {"optimizer.name": name, "optimizer.learning_rate": 0.02, "optimizer.weight_decay": 0.1}
    )
    optimizer = make_optimizer(config, Length(10, 10))
    assert type(optimizer).__name__.lower() == name
    assert float(optimizer.learning_rate) == pytest.approx(0.02)
    assert optimizer.weight_decay == 0.1


def test_rmsprop_has_momentum_where_it_is_asked_for_alone() -> None:
    config = ExperimentConfig().with_values({"optimizer.name": "rmsprop"})
    assert make_optimizer(config, Length(1, 1)).momentum == 0
    assert config.flat()["optimizer.momentum"] == 0
    assert make_optimizer(config.with_values({"optimizer.name": "sgd"}), Length(1, 1)).momentum == 0.9
    asked = from_yaml("optimizer: {name: rmsprop, momentum: 0.9}")  # older runs wrote their default down
    assert make_optimizer(from_yaml(asked.to_yaml()), Length(1, 1)).momentum == 0.9


def test_among_five_classes_there_is_no_top_5() -> None:
    uniform = np.full((3, 5), 0.2, "float32")
    assert "test_top5_accuracy" not in evaluation.test_metrics(uniform, np.array([0, 1, 4]))


def test_evaluation_counts_what_it_says() -> None:
    probabilities = np.array(
        [[0.7, 0.1, 0.1, 0.05, 0.03, 0.02], [0.02, 0.3, 0.2, 0.2, 0.18, 0.1]], dtype="float32"
    )
    metrics = evaluation.test_metrics(probabilities, np.array([0, 0]))
    assert metrics["test_accuracy"] == 0.5
    assert metrics["test_top5_accuracy"] == 0.5  # the second image's class is the last of six
    assert metrics["test_loss"] == pytest.approx(-(np.log(0.7) + np.log(0.02)) / 2, rel=1e-6)


def test_equal_probabilities_do_not_flatter() -> None:
    """A model that is sure of class 0 whatever it sees has five classes among its first five, not ten."""
    always_first = np.zeros((10, 10), "float32")
    always_first[:, 0] = 1
    metrics = evaluation.test_metrics(always_first, np.arange(10))
    assert metrics["test_accuracy"] == 0.1
    assert metrics["test_top5_accuracy"] == 0.5


def test_probabilities_that_are_no_numbers_are_no_result() -> None:
    with pytest.raises(FloatingPointError, match="are not numbers"):
        evaluation.test_metrics(np.full((2, 3), np.nan), np.array([0, 1]))


@pytest.mark.parametrize(
    ("steps", "macs", "expected"),
    [
        (1000, 18_000_000, 32),  # lenet5 with a batch of 64: the most
        (41, 18_000_000, 10),  # a quarter of an epoch, so that progress is seen
        (3, 1, 1),
        (1000, 15_000_000_000 * 32, 1),  # vgg16 with a batch of 32: minutes, were it more
    ],
)
def test_steps_between_two_words_of_progress(steps: int, macs: int, expected: int) -> None:
    assert steps_per_execution(steps, macs, on_gpu=False) == expected


def test_one_sigmoid_unit_becomes_two_columns() -> None:
    both = class_probabilities(np.array([[0.25], [1.0]]))
    assert both.tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_a_run_is_not_continued_on_a_dataset_that_changed(store: RunStore) -> None:
    config = ExperimentConfig()
    run_id, data = store.create(config), load_data(config)
    require_same_data(store, run_id, config.data, data)  # a first attempt has nothing to agree with
    log_data(store, run_id, config.data, data)
    params = store.run(run_id).data.params
    assert params[schema.FINGERPRINT] == data.dataset.info.fingerprint
    assert params[schema.SPLIT] == split_fingerprint(data.split)
    assert params[schema.EVALUATION] == evaluation_fingerprint(data.split)
    require_same_data(store, run_id, config.data, data)
    log_data(store, run_id, config.data, data)  # as a resumed run does
    curate.merge_classes("digits", "1", "7")
    changed = "has changed since this run began"
    with pytest.raises(ValueError, match=changed):
        require_same_data(store, run_id, config.data, load_data(config))
    split = choices.split_for(data.dataset, config.with_values({"data.validation_fraction": 0.2}).data)
    with pytest.raises(ValueError, match=changed):
        require_same_data(store, run_id, config.data, replace(data, split=split))


def test_a_run_that_an_older_version_began_notes_since_when_its_loss_is_the_cross_entropy() -> None:
    ours = {schema.LOSS: schema.CROSS_ENTROPY}
    assert loss_tags(0, {}) == ours
    assert loss_tags(3, ours) == ours
    assert loss_tags(3, {}) == {schema.LOSS_FROM: "4"}
    assert loss_tags(9, {schema.LOSS_FROM: "4"}) == {}  # resumed a second time
