"""A small residual model for 32×32 images that trains to a good accuracy in few passes over them.

In the manner of the public CIFAR-10 speed records: the first layer whitens patches of the training images and
stays fixed, so the layers behind it receive uncorrelated inputs of variance 1 from the first step on.
Sources: Coates, Ng, "Learning Feature Representations with K-means", 2012; Page, "How to Train Your
ResNet 8: Bag of Tricks", 2019; Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

WIDTHS = (64, 256, 256)  # filters of the three stages
PATCH = 2  # side of the patches that the first layer whitens
EPSILON = 5e-4  # added to each variance, so that directions without signal are not blown up
SCALE = 1 / 9  # of the logits: with label smoothing, large ones at the start cost steps


def fast_cifar(
    input_shape: Shape, num_classes: int, *, width: float = 1.0, offset_rate: int = 1
) -> keras.Model:
    """Build whitening convolution, three stages of two 3×3 convolutions, global max pooling, softmax.

    Args:
        input_shape: `(H, W, C)`; every stage halves height and width.
        num_classes: outputs.
        width: factor of the filters of each stage.
        offset_rate: how many times as fast the offsets of batch normalization learn as all other weights.
    """

    def unit(x: keras.KerasTensor, filters: int, name: str, pool: bool = False) -> keras.KerasTensor:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
        if pool:
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        x = normalized(x, offset_rate, name)
        return layers.Activation("gelu", name=f"{name}_gelu")(x)

    images = keras.Input(input_shape)
    directions = PATCH * PATCH * input_shape[-1]
    x = layers.Conv2D(2 * directions, PATCH, use_bias=False, trainable=False, name="whiten")(images)
    x = layers.Activation("gelu", name="whiten_gelu")(x)
    for stage, filters in enumerate(WIDTHS, start=1):
        filters = max(1, round(width * filters))
        x = skipped = unit(x, filters, f"stage{stage}_unit1", pool=True)
        x = unit(x, filters, f"stage{stage}_unit2")
        x = layers.Add(name=f"stage{stage}_add")([x, skipped])
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    x = layers.Rescaling(SCALE, name="scale")(x)
    outputs = layers.Dense(
        num_classes, activation="softmax", use_bias=False, dtype="float32", name="predictions"
    )(x)
    return keras.Model(images, outputs, name="fast_cifar")


def normalized(x: keras.KerasTensor, offset_rate: int, name: str) -> keras.KerasTensor:
    """Normalize over the batch and add an offset that learns `offset_rate` times as fast as other weights.

    With s, the root of the rate, the output is s * (x / s + offset): a gradient step of SGD moves the offset
    s times as far, and each move counts s times. The 1 / s is a scale that its constraint keeps as it is.
    """
    if offset_rate == 1:
        return layers.BatchNormalization(scale=False, name=f"{name}_bn")(x)
    s = math.sqrt(offset_rate)
    x = layers.BatchNormalization(
        gamma_initializer=keras.initializers.Constant(1 / s),
        gamma_constraint=keras.constraints.MinMaxNorm(1 / s, 1 / s, axis=[]),
        name=f"{name}_bn",
    )(x)
    return layers.Rescaling(s, name=f"{name}_offset_rate")(x)


def initialize(model: keras.Model, images: np.ndarray) -> None:
    """Set the first layer to whiten patches of `images`, and let each stage begin as a copy of its input.

    Args:
        model: as `fast_cifar` built it; its kernels are overwritten.
        images: float32 `(N, H, W, C)`, some training images as the model receives them.
    """
    model.get_layer("whiten").set_weights([whitening_kernel(images, PATCH)])
    for layer in model.layers:
        if layer.name.endswith("_conv"):
            layer.set_weights([with_identity(layer.get_weights()[0])])


def whitening_kernel(images: np.ndarray, size: int) -> np.ndarray:
    """Compute filters whose responses to patches of `images` are uncorrelated and of variance 1.

    Returns:
        float32 `(size, size, C, 2 * size * size * C)`: each eigenvector of the patches' covariance divided by
        the root of its eigenvalue, largest first, and then all of them negated.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * images.shape[-1])
    variances, directions = np.linalg.eigh(np.cov(patches, rowvar=False, dtype=np.float64))
    filters = (directions / np.sqrt(variances + EPSILON))[:, ::-1]
    kernel = filters.reshape(size, size, images.shape[-1], -1)
    return np.concatenate([kernel, -kernel], axis=-1).astype("float32")


def with_identity(kernel: np.ndarray) -> np.ndarray:
    """Let the first filters of a kernel `(h, w, in, out)` pass on one input channel each (Dirac filters)."""
    height, width, channels, filters = kernel.shape
    passed = min(channels, filters)
    kernel = kernel.copy()
    kernel[..., :passed] = 0
    kernel[height // 2, width // 2, range(passed), range(passed)] = 1
    return kernel


architectures.register(
    Architecture(
        name="fast_cifar",
        family="ResNet",
        build=fast_cifar,
        initialize=initialize,
        input_shape=(32, 32, 3),
        num_classes=10,
        min_size=PATCH + 7,
        card=Card(
            title="94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
            authors="Keller Jordan",
            year=2024,
            paper="arXiv:2404.00498",
            summary="A fixed first layer whitens patches of the training images; six convolutions behind it "
            "learn in few epochs at a high rate.",
            departures="Each second convolution of a stage is residual; the first layer has no bias; the "
            "optimizer, crops and schedule are those of the run.",
        ),
        options=(
            Option("width", 1.0, "Factor of the filters of each stage: 64, 256, 256.", 0.125, 4.0),
            Option(
                "offset_rate",
                1,
                "How many times as fast the offsets of batch normalization learn as all other weights.",
                1,
                256,
            ),
        ),
    )
)
