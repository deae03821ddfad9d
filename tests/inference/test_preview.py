"""The preview through the real prediction process: the very pixels that training would see."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.config import ExperimentConfig
from core.datasets import load
from core.inference.client import InferenceError, preview
from core.settings import Settings
from tests.conftest import Trained

CONFIG = ExperimentConfig()


def shown(settings: Settings, row: int = 3, seed: int = 0, **changes: object) -> np.ndarray:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    files = preview(settings, CONFIG.with_values(named), row, seed=seed)
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])


def test_without_augmentation_it_is_the_image_eight_times(trained: Trained) -> None:
    pixels = load("digits").images[3, ..., 0]
    for preprocessing in ("scale", "tf"):
        images = shown(trained.settings, data__preprocessing=preprocessing)
        np.testing.assert_array_equal(images, np.broadcast_to(pixels, (8, 28, 28)))


def test_every_one_of_the_eight_is_changed_on_its_own_and_a_seed_repeats(trained: Trained) -> None:
    images = shown(trained.settings, augmentation__shift=0.2, augmentation__noise=0.05)
    assert len({image.tobytes() for image in images}) == 8
    again = shown(trained.settings, augmentation__shift=0.2, augmentation__noise=0.05)
    np.testing.assert_array_equal(images, again)
    other = shown(trained.settings, seed=1, augmentation__shift=0.2, augmentation__noise=0.05)
    assert not np.array_equal(images, other)


def test_the_preview_has_the_size_that_the_net_gets(trained: Trained) -> None:
    assert shown(trained.settings, augmentation__random_crop=20).shape == (8, 20, 20)


def test_mixing_takes_from_other_images(trained: Trained) -> None:
    pixels = load("digits").images[3, ..., 0].astype(int)
    images = shown(trained.settings, augmentation__mixup=1.0).astype(int)
    assert sum(np.abs(image - pixels).max() > 40 for image in images) >= 3


@pytest.mark.parametrize("preprocessing", ["standardize", "mean", "mean_image"])
def test_other_ranges_are_stretched_to_black_and_white(trained: Trained, preprocessing: str) -> None:
    images = shown(trained.settings, data__preprocessing=preprocessing)
    assert (images.min(), images.max()) == (0, 255)


def test_what_cannot_be_is_one_sentence(trained: Trained) -> None:
    with pytest.raises(InferenceError, match=r"Rows of 'digits' go from 0 to 1796\. Received: 5000\."):
        shown(trained.settings, row=5000)
    with pytest.raises(InferenceError, match=r"augmentation\.random_crop must be at most"):
        shown(trained.settings, augmentation__random_crop=29)
    with pytest.raises(InferenceError, match=r"'caffe' is made for images of 3 channels\. Received: 1\."):
        shown(trained.settings, data__preprocessing="caffe")
