"""The preview through the real prediction process: the very pixels that training would see."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from PIL import Image

from core.components.preprocessing.caffe import MEAN as CAFFE_MEAN
from core.config import ExperimentConfig
from core.datasets import load
from core.experiment.preprocessing import preprocessing
from core.inference.client import InferenceError, preview
from core.system.settings import Settings
from tests.support.homes import Trained

pytestmark = pytest.mark.slow

CONFIG = ExperimentConfig()


def shown(settings: Settings, row: int = 3, seed: int = 0, **changes: object) -> np.ndarray:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    files = preview(settings, CONFIG.with_values(named), row, seed=seed)
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


def test_without_augmentation_it_is_the_image_eight_times(trained: Trained) -> None:
    pixels = load("digits").images[3, ..., 0]
    for name in ("scale", "tf"):
        images = shown(trained.settings, data__preprocessing=name)
        np.testing.assert_array_equal(images, np.broadcast_to(pixels, (8, 28, 28)))


def test_every_one_of_the_eight_is_changed_on_its_own_and_a_seed_repeats(trained: Trained) -> None:
    images = shown(trained.settings, augmentation__shift=0.2, augmentation__noise=0.05)
    assert len({image.tobytes() for image in images}) == 8
    again = shown(trained.settings, augmentation__shift=0.2, augmentation__noise=0.05)
    np.testing.assert_array_equal(images, again)
    other = shown(trained.settings, seed=1, augmentation__shift=0.2, augmentation__noise=0.05)
    assert not np.array_equal(images, other)


def test_the_preview_has_the_size_that_the_model_gets(trained: Trained) -> None:
    assert shown(trained.settings, augmentation__random_crop=20).shape == (8, 20, 20)


def test_what_a_model_gets_very_large_is_shown_smaller(trained: Trained) -> None:
    """Eight noisy images as large as the model gets them can be more than one message holds."""
    images = shown(trained.settings, model__resize=1024, augmentation__noise=0.5)
    assert images.shape == (8, 384, 384)


def test_mixing_takes_from_other_images(trained: Trained) -> None:
    pixels = load("digits").images[3, ..., 0].astype(int)
    images = shown(trained.settings, augmentation__mixup=1.0).astype(int)
    assert sum(np.abs(image - pixels).max() > 40 for image in images) >= 3


@pytest.mark.parametrize("preprocessing", ["standardize", "mean", "mean_image"])
def test_other_ranges_are_stretched_to_black_and_white(trained: Trained, preprocessing: str) -> None:
    images = shown(trained.settings, data__preprocessing=preprocessing)
    assert (images.min(), images.max()) == (0, 255)


def test_imagenet_weights_choose_their_preprocessing_and_colour(trained: Trained) -> None:
    """VGG's want blue, green, red without a stretch to 0-1, of a grey image three times; resized after it."""
    asked = {"model__name": "vgg16", "model__weights": "imagenet", "model__resize": 32}
    images = shown(trained.settings, **asked)
    assert images.shape == (8, 32, 32, 3)
    pixels = load("digits").images[3].astype("float32").repeat(3, axis=-1)
    values = keras.ops.image.resize(pixels[None, ..., ::-1] - np.float32(CAFFE_MEAN), (32, 32))[0, ..., ::-1]
    values = keras.ops.convert_to_numpy(values)
    expected = (values - values.min()) * 255 / (values.max() - values.min())
    np.testing.assert_allclose(images[0], expected, atol=0.51)
    np.testing.assert_array_equal(images, np.broadcast_to(images[0], images.shape))


def test_a_file_and_a_run_to_start_from_choose_their_preprocessing(trained: Trained) -> None:
    trained.settings.weights.mkdir(parents=True, exist_ok=True)
    net = keras.Sequential(
        [keras.Input((28, 28, 1)), preprocessing("mean", (28, 28, 1), np.full((28, 28, 1), 9.0))]
    )
    net.save(trained.settings.weights / "shifted.keras")
    by_file = shown(trained.settings, model__weights="shifted.keras", augmentation__noise=0.1)
    asked = shown(trained.settings, data__preprocessing="mean", augmentation__noise=0.1)
    np.testing.assert_array_equal(by_file, asked)
    assert not np.array_equal(by_file, shown(trained.settings, augmentation__noise=0.1))
    by_run = shown(trained.settings, model__weights=f"run:{trained.run_id}")
    np.testing.assert_array_equal(by_run, shown(trained.settings))
    with pytest.raises(InferenceError, match=r"These weights expect images with data.preprocessing scale"):
        shown(trained.settings, model__weights=f"run:{trained.run_id}", data__preprocessing="tf")


def test_what_cannot_be_is_one_sentence(trained: Trained) -> None:
    with pytest.raises(InferenceError, match=r"Rows of 'digits' go from 0 to 1796\. Received: 5000\."):
        shown(trained.settings, row=5000)
    with pytest.raises(InferenceError, match=r"augmentation\.random_crop must be at most"):
        shown(trained.settings, augmentation__random_crop=29)
    with pytest.raises(InferenceError, match=r"'caffe' is made for images of 3 channels\. Received: 1\."):
        shown(trained.settings, data__preprocessing="caffe")
