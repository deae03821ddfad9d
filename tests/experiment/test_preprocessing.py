"""Preprocessing by its formula, kept inside the saved model; mixing in the loss; views of the test set."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.applications import imagenet_utils

from core.architectures import build_model
from core.architectures.layers import AuxiliaryModel
from core.components.preprocessing import preprocessings
from core.config import ExperimentConfig
from core.experiment.augmentation import MixingModel
from core.experiment.preprocessing import preprocessing, training_mean
from core.experiment.views import averaged
from core.schedules import Length
from core.training.fitting import compile_model
from core.training.models import wrap
from core.training.pipeline import Batches

pytestmark = pytest.mark.slow

SHAPE = (20, 20, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (40, *SHAPE), dtype="uint8")
PIXELS = IMAGES.astype("float32")
LABELS = np.arange(40) % 4
MEAN = training_mean(IMAGES, np.arange(0, 40, 2))


def prepared(name: str) -> np.ndarray:
    return np.asarray(preprocessing(name, SHAPE, MEAN)(keras.ops.convert_to_tensor(PIXELS)))


def net_and_kept(**changes: object) -> tuple[keras.Model, keras.Model, keras.Model]:
    """A small model for this config, the one that trains it, and the one that is kept."""
    config = ExperimentConfig().with_values(changes)
    side = config.augmentation.random_crop or SHAPE[0]
    net = build_model("lenet5", (side, side, 3), 4)
    return net, *wrap(net, config, SHAPE, MEAN)


def test_scaling_is_what_it_was() -> None:
    np.testing.assert_allclose(prepared("scale"), PIXELS / 255, atol=1e-6)


def test_standardisation_is_its_formula() -> None:
    flat = PIXELS.reshape(40, -1)
    expected = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    np.testing.assert_allclose(prepared("standardize").reshape(40, -1), expected, atol=1e-4)
    black = np.asarray(preprocessing("standardize", SHAPE)(keras.ops.zeros((1, *SHAPE))))
    assert not black.any()  # not NaN


def test_the_mean_is_that_of_the_training_set() -> None:
    """Of the even rows alone, a channel for `mean`, a pixel for `mean_image`."""
    np.testing.assert_allclose(MEAN, PIXELS[::2].mean(axis=0), atol=1e-3)
    expected = (PIXELS - PIXELS[::2].mean(axis=(0, 1, 2))) / 255
    np.testing.assert_allclose(prepared("mean"), expected, atol=1e-5)
    np.testing.assert_allclose(prepared("mean_image"), (PIXELS - MEAN) / 255, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pretrained_models_get_what_keras_gives_them(mode: str) -> None:
    expected = imagenet_utils.preprocess_input(PIXELS.copy(), mode=mode)
    np.testing.assert_allclose(prepared(mode), expected, atol=1e-3)


@pytest.mark.parametrize("name", preprocessings.names())
def test_the_kept_model_crops_and_preprocesses_the_pixels_itself(name: str) -> None:
    net, model, kept = net_and_kept(**{"data.preprocessing": name, "augmentation.random_crop": 16})
    given = preprocessing(name, (16, 16, 3), MEAN)(keras.ops.convert_to_tensor(PIXELS[:, 2:18, 2:18]))
    expected = net.predict(np.asarray(given), verbose=0)
    np.testing.assert_allclose(kept.predict(PIXELS, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict(PIXELS, verbose=0), expected, atol=1e-5)


def test_saved_models_answer_the_same_where_only_keras_is_known(tmp_path: Path) -> None:
    """In another process, in Keras' safe mode, without a line of this program."""
    expected = {}
    for name in ("mean", "mean_image", "standardize", "caffe"):
        _, _, kept = net_and_kept(**{"data.preprocessing": name, "augmentation.random_crop": 16})
        kept.save(tmp_path / f"{name}.keras")
        expected[name] = kept.predict(PIXELS, verbose=0)
    np.save(tmp_path / "pixels.npy", PIXELS)
    code = (
        "import sys, keras, numpy as np, pathlib\n"
        "for path in pathlib.Path('.').glob('*.keras'):\n"
        "    model = keras.saving.load_model(path, compile=False, safe_mode=True)\n"
        "    np.save(path.stem, model.predict(np.load('pixels.npy'), verbose=0))\n"
        "assert not any(name == 'core' or name.startswith('core.') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    for name, answers in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), answers, atol=1e-5)


def test_the_loss_of_a_mixed_batch_is_that_of_soft_labels() -> None:
    _, model, _ = net_and_kept(**{"augmentation.mixup": 1.0})
    assert isinstance(model, MixingModel)
    compile_model(model, ExperimentConfig(), Length(1, 1), macs_per_step=1000)
    answers, partner, share = model(PIXELS, training=True)
    soft = np.asarray(share)[:, None] * np.eye(4)[LABELS]
    soft += (1 - np.asarray(share))[:, None] * np.eye(4)[LABELS[np.asarray(partner)]]
    expected = keras.losses.CategoricalCrossentropy()(soft, answers)
    loss = model.compute_loss(PIXELS, LABELS, [answers, partner, share], None, True)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    weights = np.linspace(0, 2, 40, dtype="float32")
    weighted = model.compute_loss(PIXELS, LABELS, [answers, partner, share], weights, True)
    own = keras.losses.sparse_categorical_crossentropy(LABELS, answers)
    other = keras.losses.sparse_categorical_crossentropy(LABELS[np.asarray(partner)], answers)
    terms = weights * share * own + weights[np.asarray(partner)] * (1 - share) * other
    assert float(weighted) == pytest.approx(float(np.mean(terms)), rel=1e-5)


def test_accuracy_of_a_mixed_batch_counts_the_larger_share() -> None:
    _, model, _ = net_and_kept(**{"augmentation.cutmix": 1.0})
    compile_model(model, ExperimentConfig(), Length(1, 1), macs_per_step=1000)
    share = np.where(np.arange(40) % 2, 0.9, 0.1).astype("float32")
    partner = (np.arange(40) + 1) % 40
    right = np.where(share >= 0.5, LABELS, LABELS[partner])
    answers = np.eye(4, dtype="float32")[right]
    metrics = model.compute_metrics(PIXELS, LABELS, [answers, partner, share], None)
    assert float(metrics["accuracy"]) == 1.0


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_all_changes_together_train_in_every_way_of_compiling(jit: bool) -> None:
    """A GPU trains with XLA, which cannot compile every operation that a CPU has."""
    everything = {
        "pad_and_crop": 1, "random_crop": 16, "horizontal_flip": True, "vertical_flip": True,
        "rotation": 20, "shift": 0.1, "shear": 5, "zoom": 0.1, "rand_augment": 1, "brightness": 0.1,
        "contrast": 0.2, "noise": 0.02, "erasing": 0.5, "mixup": 0.2, "cutmix": 1.0,
    }  # fmt: skip
    changes = {f"augmentation.{name}": value for name, value in everything.items()}
    _, model, _ = net_and_kept(**changes, **{"data.preprocessing": "mean_image"})
    compile_model(model, ExperimentConfig(), Length(1, 1), macs_per_step=1000)
    model.jit_compile = jit
    batches = Batches(IMAGES, LABELS, np.arange(40), 8, seed=0)
    history = model.fit(
        batches, validation_data=batches, class_weight={0: 1.0, 1: 2.0, 2: 1.0, 3: 0.5}, verbose=0
    ).history
    names = ("loss", "cross_entropy", "accuracy")
    assert {*names, *(f"val_{name}" for name in names)} == set(history)
    assert np.isfinite(list(itertools.chain(*history.values()))).all()


def test_one_sigmoid_unit_and_auxiliary_heads_can_be_mixed_too() -> None:
    config = ExperimentConfig().with_values({"augmentation.mixup": 0.4})
    inputs = keras.Input(SHAPE)
    binary = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs)))
    model, _ = wrap(binary, config)
    compile_model(model, config, Length(1, 1), macs_per_step=1000)
    history = model.fit(PIXELS, LABELS % 2, verbose=0).history
    assert set(history) == {"loss", "cross_entropy", "accuracy"}
    trunk = keras.layers.Flatten()(inputs)
    heads = [keras.layers.Dense(4, activation="softmax")(trunk) for _ in range(2)]
    model, kept = wrap(AuxiliaryModel(inputs, heads), config)
    compile_model(model, config, Length(1, 1), macs_per_step=1000)
    assert len(model(PIXELS, training=True)) == 4  # two heads, partner, share
    assert np.isfinite(model.fit(PIXELS, LABELS, verbose=0).history["loss"]).all()
    assert kept.output_shape == (None, 4)


def test_views_of_a_flip_are_averaged() -> None:
    _, _, kept = net_and_kept()
    expected = (kept.predict(PIXELS, verbose=0) + kept.predict(PIXELS[:, :, ::-1], verbose=0)) / 2
    np.testing.assert_allclose(averaged(kept, "flip").predict(PIXELS, verbose=0), expected, atol=1e-6)
    assert averaged(kept, "none") is kept


def test_ten_crops_are_corners_and_middle_and_their_mirror_images() -> None:
    net, _, kept = net_and_kept(**{"augmentation.random_crop": 17})  # three pixels to spare: 1 and 2
    places = [(0, 0), (0, 3), (3, 0), (3, 3), (1, 1)]
    crops = [images[:, y : y + 17, x : x + 17] for images in (PIXELS, PIXELS[:, :, ::-1]) for y, x in places]
    expected = np.mean([net.predict(crop / 255, verbose=0) for crop in crops], axis=0)
    np.testing.assert_allclose(averaged(kept, "ten_crops").predict(PIXELS, verbose=0), expected, atol=1e-5)


def test_crops_as_large_as_the_images_are_views_too() -> None:
    _, _, kept = net_and_kept(**{"augmentation.random_crop": SHAPE[0], "augmentation.pad_and_crop": 2})
    mirrored = (kept.predict(PIXELS, verbose=0) + kept.predict(PIXELS[:, :, ::-1], verbose=0)) / 2
    np.testing.assert_allclose(averaged(kept, "ten_crops").predict(PIXELS, verbose=0), mirrored, atol=1e-5)
