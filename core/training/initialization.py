"""Weights that an architecture sets from training images before the first step."""

from __future__ import annotations

import keras
import numpy as np

from core.architectures import architectures
from core.config import ExperimentConfig
from core.datasets import choices
from core.experiment.preparation import cropped, preparation
from core.training.device import float32_layers

SAMPLE_PIXELS = 1 << 20  # 1,024 images of 32×32: enough for statistics of small patches, and little memory
FEWEST = 64  # images, however large they are


def initialize(
    network: keras.Model,
    config: ExperimentConfig,
    images: np.ndarray,
    rows: np.ndarray,
    mean: np.ndarray | None,
) -> None:
    """Call the `initialize` hook of the model's architecture, if it has one, with some training images.

    Args:
        network: freshly built, for the images as prepared by the config.
        images: of the dataset, uint8 `(N, H, W, C)`.
        rows: of the training set; the sample is drawn from them with the seed of the run.
        mean: mean image of the training set where the preprocessing subtracts it.
    """
    hook = architectures.get(config.model.name).initialize
    if hook is None:
        return
    height, width = images.shape[1:3]
    count = min(len(rows), max(FEWEST, SAMPLE_PIXELS // (height * width)))
    sample = np.sort(np.random.default_rng(config.seed).choice(rows, count, replace=False))
    hook(network, prepared(images[sample], config, network.input_shape[1:], mean))
    print(f"weights of {network.name} initialized from {count} training images")


def prepared(
    images: np.ndarray,
    config: ExperimentConfig,
    input_shape: tuple[int, int, int],
    mean: np.ndarray | None,
) -> np.ndarray:
    """Crop, preprocess and resize images without augmentation, float32 `(N, H, W, C)` of `input_shape`."""
    cut = choices.cropped_shape(config, images.shape[1:])
    with float32_layers():
        prepare = preparation(config, cut, input_shape, mean)
        return keras.ops.convert_to_numpy(
            prepare(cropped(keras.ops.convert_to_tensor(images, "float32"), cut))
        )
