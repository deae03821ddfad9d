"""Random changes of training images: Keras layers inside the model that trains, off in evaluation.

All are made of Keras' own operations with shapes that XLA can compile, so they run where the model runs.
Where Keras has a layer of the same name it is not used if it clips to 0-255, draws once for a whole batch or
leaves evaluation images uncropped.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from core.config import AugmentationConfig
from core.experiment.augmentation.colour import Brightness, Contrast, Noise
from core.experiment.augmentation.erasing import RandomErasing
from core.experiment.augmentation.geometry import Affine, PadAndCrop
from core.experiment.augmentation.mixing import Mix, MixingModel
from core.experiment.augmentation.rand_augment import RandAugment

__all__ = ["Mix", "MixingModel", "augment", "augmentation_layers", "mixing_layer"]


def augmentation_layers(config: AugmentationConfig, seed: int) -> list[layers.Layer]:
    """The layers a config asks for, in order, without mixing; images `(N, H, W, C)`, 0-255.

    In evaluation images pass unchanged, or as their centre where `random_crop` makes the input smaller.
    """
    chosen: list[layers.Layer] = []
    if config.pad_and_crop or config.random_crop:
        chosen.append(PadAndCrop(config.pad_and_crop, config.random_crop, seed))
    if config.horizontal_flip:
        chosen.append(layers.RandomFlip("horizontal", seed=seed + 1))
    if config.vertical_flip:
        chosen.append(layers.RandomFlip("vertical", seed=seed + 2))
    if config.rotation or config.shift or config.shear or config.zoom:
        chosen.append(Affine(config.rotation, config.shift, config.shear, config.zoom, config.fill, seed + 3))
    if config.rand_augment:
        chosen.append(RandAugment(config.rand_augment, config.rand_augment_magnitude, seed + 4))
    if config.brightness:
        chosen.append(Brightness(config.brightness, seed + 5))
    if config.contrast:
        chosen.append(Contrast(config.contrast, seed + 6))
    if config.noise:
        chosen.append(Noise(config.noise, seed + 7))
    if config.erasing:
        chosen.append(
            RandomErasing(
                config.erasing, config.erasing_area, config.erasing_ratio, config.erasing_per_pixel, seed + 8
            )
        )
    return chosen


def mixing_layer(config: AugmentationConfig, seed: int) -> Mix | None:
    """The layer that mixes the images of a batch, if a config asks for it."""
    return Mix(config.mixup, config.cutmix, seed + 9) if config.mixup or config.cutmix else None


def augment(images: Any, config: AugmentationConfig, seed: int, **call: bool) -> tuple[Any, ...]:
    """Apply a config's augmentation to images `(N, H, W, C)` of 0-255, in the order in which a run does.

    Args:
        call: `training=True` where images are changed at once and no model is built.

    Returns:
        The images, and after them, where images are mixed, what mixing tells the loss of their labels.
    """
    for layer in augmentation_layers(config, seed):
        images = layer(images, **call)
    mix = mixing_layer(config, seed)
    return (images,) if mix is None else tuple(mix(images, **call))
