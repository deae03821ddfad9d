"""What happens to an image before the model sees it, besides augmentation; part of the saved model."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from core.components.preprocessing import Shape, Tensors
from core.config import ExperimentConfig
from core.experiment.preprocessing import preprocessing_of


def preparation(
    config: ExperimentConfig, image_shape: Shape, input_shape: Shape, mean: np.ndarray | None = None
) -> Tensors:
    """A function on images `(N, H, W, C)` of 0-255; call it as often as needed, its layers are shared.

    Grey becomes three equal channels where the model takes colour, then come the config's preprocessing and
    the size that the model takes. image_shape: when crops are done. mean: as `preprocessing` takes it.
    """
    height, width, channels = input_shape
    repeat = layers.Concatenate(name="grey_as_colour")
    preprocess = preprocessing_of(config.data, (*image_shape[:2], channels), mean)
    resize = layers.Resizing(height, width, name="resize")

    def prepare(images: keras.KerasTensor) -> keras.KerasTensor:
        x = images if image_shape[-1] == channels else repeat([images] * channels)
        x = preprocess(x)
        return x if image_shape[:2] == (height, width) else resize(x)

    return prepare


def cropped(images: keras.KerasTensor, cut: Shape) -> keras.KerasTensor:
    """The middle of the images `(None, H, W, C)` in the size `(H, W, C)` of the crops that train."""
    spare = [images.shape[axis + 1] - cut[axis] for axis in (0, 1)]
    if not any(spare):
        return images
    return layers.Cropping2D([(gap // 2, gap - gap // 2) for gap in spare], name="centre")(images)
