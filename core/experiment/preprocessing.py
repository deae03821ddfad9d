"""From pixels of 0-255 to what a net gets; part of the saved model, and made of Keras alone."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

Tensors = Callable[[keras.KerasTensor], keras.KerasTensor]

CHUNK = 512
# Of ImageNet's training images, as keras.applications has them: RGB in 0-1, and BGR in 0-255.
TORCH_MEAN, TORCH_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CAFFE_MEAN = [103.939, 116.779, 123.68]


def needs_mean(name: str) -> bool:
    """Whether this preprocessing subtracts what was measured on the training set."""
    return name in ("mean", "mean_image")


def training_mean(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The mean image of some rows: float32 `(H, W, C)`. images: uint8 `(N, H, W, C)`, may be mapped."""
    total = np.zeros(images.shape[1:], np.float64)
    for start in range(0, len(rows), CHUNK):
        total += images[rows[start : start + CHUNK]].sum(axis=0, dtype=np.float64)
    return (total / len(rows)).astype("float32")


def preprocessing(name: str, shape: tuple[int, int, int], mean: np.ndarray | None = None) -> Tensors:
    """A function on tensors `(N, H, W, C)` of 0-255; call it as often as needed, its layers are shared.

    name: `scale` to 0-1, as `auto` is where no weights choose; `standardize` each image: mean 0, deviation 1;
        `mean` of each channel, or `mean_image`, of the training set subtracted, in units of 255; `caffe`
        (BGR, ImageNet's mean subtracted), `tf` (-1 to 1), `torch` (0-1, ImageNet's mean and deviation): as
        pretrained nets want it.
    shape: what the net gets. mean: `(H, W, C)` of the training set; a larger one is cut to its middle.
    """
    match name:
        case "scale" | "auto":
            return layers.Rescaling(1 / 255, name="scale")
        case "standardize":
            named = layers.Identity(name="standardize")  # a saved net tells it by this name
            return lambda images: standardize(named(images))
        case "tf":
            return layers.Rescaling(1 / 127.5, offset=-1, name="tf")
        case "torch":
            return layers.Normalization(
                mean=(255 * TORCH_MEAN).tolist(), variance=((255 * TORCH_STD) ** 2).tolist(), name="torch"
            )
        case "caffe":
            shift = layers.Normalization(mean=CAFFE_MEAN, variance=[1.0] * 3, name="caffe")
            return lambda images: shift(ops.flip(images, axis=-1))
    assert mean is not None
    if name == "mean":
        channels = mean.mean(axis=(0, 1))
        return layers.Normalization(mean=channels.tolist(), variance=[255.0**2] * len(channels), name="mean")
    return _subtraction(mean, shape)


def standardize(images: keras.KerasTensor) -> keras.KerasTensor:
    """Each image with mean 0 and deviation 1; a flat one is divided by 1/√(its values) at least."""
    values = int(np.prod(images.shape[1:]))
    centred = images - ops.mean(images, axis=(1, 2, 3), keepdims=True)
    deviation = ops.sqrt(ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True))
    return centred / ops.maximum(deviation, values**-0.5)


def _subtraction(mean: np.ndarray, shape: tuple[int, int, int]) -> layers.Layer:
    """The mean image lies in the weights of the layer, so that it is saved with the model."""
    height, width, _ = shape
    top, left = (mean.shape[0] - height) // 2, (mean.shape[1] - width) // 2
    layer = layers.Normalization(axis=(1, 2, 3), name="mean_image")
    layer.build((None, *shape))
    layer.adapt_mean.assign(mean[top : top + height, left : left + width])
    layer.adapt_variance.assign(np.full(shape, 255.0**2))
    layer.finalize_state()
    return layer
